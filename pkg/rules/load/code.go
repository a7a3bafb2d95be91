package load

// Code names a kind of problem, as Falco does.
type Code string

// The codes of errors: the file cannot be used.
const (
	ErrFileRead         Code = "LOAD_ERR_FILE_READ"
	ErrYAMLParse        Code = "LOAD_ERR_YAML_PARSE"
	ErrYAMLValidate     Code = "LOAD_ERR_YAML_VALIDATE"
	ErrCompileCondition Code = "LOAD_ERR_COMPILE_CONDITION"
	ErrCompileOutput    Code = "LOAD_ERR_COMPILE_OUTPUT"
	ErrValidate         Code = "LOAD_ERR_VALIDATE"
	ErrExtension        Code = "LOAD_ERR_EXTENSION"
)

// The codes of warnings: the file can be used, but may not do what was meant.
const (
	WarnUnknownSource          Code = "LOAD_UNKNOWN_SOURCE"
	WarnUnsafeNACheck          Code = "LOAD_UNSAFE_NA_CHECK"
	WarnNoEventType            Code = "LOAD_NO_EVTTYPE"
	WarnUnknownFilter          Code = "LOAD_UNKNOWN_FILTER"
	WarnUnusedMacro            Code = "LOAD_UNUSED_MACRO"
	WarnUnusedList             Code = "LOAD_UNUSED_LIST"
	WarnUnknownItem            Code = "LOAD_UNKNOWN_ITEM"
	WarnDeprecatedItem         Code = "LOAD_DEPRECATED_ITEM"
	WarnExtension              Code = "LOAD_WARNING_EXTENSION"
	WarnAppendNoValues         Code = "LOAD_APPEND_NO_VALUES"
	WarnExceptionNameNotUnique Code = "LOAD_EXCEPTION_NAME_NOT_UNIQUE"
	WarnInvalidMacroName       Code = "LOAD_INVALID_MACRO_NAME"
	WarnInvalidListName        Code = "LOAD_INVALID_LIST_NAME"
	WarnCompileCondition       Code = "LOAD_COMPILE_CONDITION"
	WarnUnknownKey             Code = "LOAD_UNKNOWN_KEY"

	// WarnNotSupplied is ours: a rule asks for something that nothing here can see.
	WarnNotSupplied Code = "LOAD_NOT_SUPPLIED"
)

// String gives the code.
func (c Code) String() string { return string(c) }

// Short says in a few words what the code stands for.
func (c Code) Short() string {
	switch c {
	case ErrFileRead:
		return "File read error"
	case ErrYAMLParse:
		return "YAML parse error"
	case ErrYAMLValidate:
		return "Error validating internal structure of YAML file"
	case ErrCompileCondition:
		return "Error compiling condition"
	case ErrCompileOutput:
		return "Error compiling output"
	case ErrValidate:
		return "Error validating rule/macro/list/exception objects"
	case ErrExtension:
		return "Error in extension item"
	case WarnUnknownSource:
		return "Unknown event source"
	case WarnUnsafeNACheck:
		return "Unsafe <NA> comparison in condition"
	case WarnNoEventType:
		return "Condition has no event-type restriction"
	case WarnUnknownFilter:
		return "Unknown field or event-type in condition or output"
	case WarnUnusedMacro:
		return "Unused macro"
	case WarnUnusedList:
		return "Unused list"
	case WarnUnknownItem:
		return "Unknown rules file item"
	case WarnDeprecatedItem:
		return "Used deprecated item"
	case WarnExtension:
		return "Warning in extension item"
	case WarnAppendNoValues:
		return "Overriding/appending with no values"
	case WarnExceptionNameNotUnique:
		return "Multiple exceptions defined with the same name"
	case WarnInvalidMacroName:
		return "Invalid macro name"
	case WarnInvalidListName:
		return "Invalid list name"
	case WarnCompileCondition:
		return "Warning in rule condition"
	case WarnUnknownKey:
		return "Unknown key in item definition"
	case WarnNotSupplied:
		return "Field or event that is not supplied"
	}
	return string(c)
}
