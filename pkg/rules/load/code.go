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
		return "the file cannot be read"
	case ErrYAMLParse:
		return "not valid YAML"
	case ErrYAMLValidate:
		return "not the form of a rule file"
	case ErrCompileCondition:
		return "the condition is wrong"
	case ErrCompileOutput:
		return "the output is wrong"
	case ErrValidate:
		return "items that do not fit together"
	case ErrExtension:
		return "an added kind of item is wrong"
	case WarnUnknownSource:
		return "rule for a source that is not here"
	case WarnUnsafeNACheck:
		return "condition that compares with <NA>"
	case WarnNoEventType:
		return "rule for too many types of events"
	case WarnUnknownFilter:
		return "rule skipped for what it names and nobody knows"
	case WarnUnusedMacro:
		return "macro that nothing uses"
	case WarnUnusedList:
		return "list that nothing uses"
	case WarnUnknownItem:
		return "item of no known kind"
	case WarnDeprecatedItem:
		return "outdated key or field"
	case WarnExtension:
		return "an added kind of item may be wrong"
	case WarnAppendNoValues:
		return "exception that adds nothing"
	case WarnExceptionNameNotUnique:
		return "name of an exception used twice"
	case WarnInvalidMacroName:
		return "macro name that conditions cannot use"
	case WarnInvalidListName:
		return "list name that is more than one word"
	case WarnCompileCondition:
		return "condition that may not mean what it says"
	case WarnUnknownKey:
		return "key that such an item does not have"
	case WarnNotSupplied:
		return "rule that asks for what no event here has"
	}
	return string(c)
}
