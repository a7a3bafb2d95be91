package normalize

// Config is falcosidekick's: what is added to every alert, and how it is cut. Applied in this order: customfields,
// customtags, templatedfields, bracketreplacer, outputfieldformat, limits.
type Config struct {
	// Fields to set in every alert's output_fields. A value %NAME takes the environment variable NAME.
	CustomFields map[string]string `config:"customfields"`
	// Tags to add to every alert.
	CustomTags []string `config:"customtags"`
	// Fields to set, each a Go template over output_fields: {{ index . "k8s.ns.name" }}.
	TemplatedFields map[string]string `config:"templatedfields"`
	// Replaces [ in the names of fields, and ] goes: with _ proc.aname[2] becomes proc.aname_2.
	BracketReplacer string `config:"bracketreplacer"`
	// New form of output, from <timestamp> <priority> <output> <custom_fields> <templated_fields> <tags>.
	OutputFieldFormat string `config:"outputfieldformat"`
}
