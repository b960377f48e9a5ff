package breaks

// byImportTests are tests of what both importers have in common, byCIBTests and byConfTests those
// of one.
func byImportTests(run string) []Net { return []Net{tests("internal/importing", "^"+run+"$")} }

func byCIBTests(run string) []Net { return []Net{tests("internal/importing/cib", "^"+run+"$")} }

func byConfTests(run string) []Net { return []Net{tests("internal/importing/rgconf", "^"+run+"$")} }

const (
	locations = "internal/importing/cib/location.go"
	topology  = "internal/importing/cib/topology.go"
	sets      = "internal/importing/cib/sets.go"
	operation = "internal/importing/cib/operation.go"
)

// imports are breaks of what is made of another manager's configuration. Their names begin
// alike, so that all of them can be chosen.
var imports = []Mutant{
	{
		Name: "import-status-is-configuration", Law: "R",
		Broken: "what ran when a CIB was printed hides the configuration's own ids, and constraints are lost",
		Edits:  []Edit{{"internal/importing/cib/cib.go", "\tt.index(configuration)\n", "\tt.index(top)\n"}},
		Nets:   byImportTests("TestTheStatusChangesNothing"),
	},
	{
		Name: "import-guest-has-two-plugs", Law: "L7",
		Broken: "fence_xvm is told an outlet under its old name, and the node's beside it",
		Edits: []Edit{{"internal/importing/fencing/device.go",
			"\tif name == \"domain\" && guestAgents[d.Agent] {\n\t\treturn",
			"\tif name == \"domain\" && d.Agent == \"\" {\n\t\treturn"}},
		Nets: byImportTests("TestRandomClusterConfsKeepTheirMeaning"),
	},
	{
		Name: "import-block-is-fence", Law: "L8",
		Broken: "a stop that fails fences a node where a person was to look",
		Edits: []Edit{{operation,
			"map[string]string{\"block\": \"failed\", \"fence\": \"fence\"}[fail]",
			"map[string]string{\"block\": \"fence\", \"fence\": \"fence\"}[fail]"}},
		Nets: byCIBTests("TestGolden"),
	},
	{
		Name: "import-check-is-switched-on", Law: "R", Broken: "a monitor that was switched off is an active check",
		Edits: []Edit{{operation, "\t\tcheck.Interval, check.Timeout = 0, 0 ", "\t\tcheck.Timeout = 0 "}},
		Nets:  byImportTests("TestRandomCIBsKeepTheirMeaning"),
	},
	{
		Name: "import-fence-group-is-a-service", Law: "L7",
		Broken: "fence devices in a group have no order, and its level names nothing",
		Edits: []Edit{{"internal/importing/cib/resources.go",
			"devicePlace{group: e.Get(\"id\"), position: position}",
			"devicePlace{position: position}"}},
		Nets: byCIBTests("TestGolden"),
	},
	{
		Name: "import-waits-are-dropped", Law: "L7",
		Broken: "a fence program ends by its own short limits, where longer ones were written",
		Edits: []Edit{{"internal/importing/fencing/device.go",
			"\thandled = append(handled, chatter...)\n",
			"\thandled = append(append(handled, chatter...), waits...)\n"}},
		Nets: byConfTests("TestGolden"),
	},
	{
		Name: "import-all-of-a-set-keep-apart", Law: "R",
		Broken: "members of a set without an order are kept apart from each other",
		Edits: []Edit{{"internal/importing/cib/constraint.go",
			"\t\t\t\tif set.linked {",
			"\t\t\t\tif set.linked || m >= 0 {"}},
		Nets: byImportTests("TestRandomCIBsKeepTheirMeaning"),
	},
	{
		Name: "import-secret-is-its-place", Law: "L7",
		Broken: "a fence password is the text that stands for it, and each shot is refused",
		Edits: []Edit{{"internal/importing/cib/stonith.go",
			"strings.HasPrefix(name, \"pcmk_\") || d.params.get(name) == sealedValue {",
			"strings.HasPrefix(name, \"pcmk_\") {"}},
		Nets: byCIBTests("TestGolden"),
	},
	{
		Name: "import-lifetimes-have-no-end", Law: "R", Broken: "a ban whose time is over bars the node",
		Edits: []Edit{{locations, "\tcase lasting == never:", "\tcase lasting == never && e == nil:"}},
		Nets:  byImportTests("TestRandomCIBsKeepTheirMeaning"),
	},
	{
		Name: "import-bans-with-an-end-are-dropped", Law: "R",
		Broken: "a service may run where a ban with an end in the future keeps it off",
		Edits:  []Edit{{locations, "\tcase lasting == sometimes && !away:", "\tcase lasting == sometimes:"}},
		Nets:   byCIBTests("TestGolden"),
	},
	{
		Name: "import-rules-elsewhere-say-nothing", Law: "R",
		Broken: "a lifetime whose rule is elsewhere counts as undecided",
		Edits:  []Edit{{locations, "\t\t\trules = append(rules, t.meant(rule))\n", "\t\t\trules = append(rules, rule)\n"}},
		Nets:   byCIBTests("TestGolden"),
	},
	{
		Name: "import-members-are-lost-silently", Law: "R",
		Broken: "a set that lost a member is said to be translated",
		Edits:  []Edit{{sets, "\t\tkind, text = changes, text+", "\t\tkind, text = kind, text+"}},
		Nets:   byCIBTests("TestGolden"),
	},
	{
		Name: "import-half-a-level-is-a-level", Law: "L3",
		Broken: "one of two power supplies is a fence level, when the other's device could not be made",
		Edits: []Edit{{"internal/importing/fencing/agents.go",
			"{ return !otherWays(agent) }",
			"{ return !otherWays(agent) && agent == \"-\" }"}},
		Nets: append(byConfTests("TestGolden"), byCIBTests("TestGolden")...),
	},
	{
		Name: "import-lost-levels-are-made-up", Law: "L3",
		Broken: "a node whose levels could not be made is fenced by single devices of them",
		Edits:  []Edit{{topology, "levels[n.name]; named {", "levels[n.name]; named && len(chosen) > 0 {"}},
		Nets:   byImportTests("TestRandomCIBsKeepTheirMeaning"),
	},
	{
		Name: "import-says-it-twice", Law: "-", Broken: "one part of a source has several verdicts",
		Edits: []Edit{{"internal/importing/report.go", "\tr.settle()\n", ""}},
		Nets:  byImportTests("TestEachPartHasOneVerdict"),
	},
	{
		Name: "import-moves-stand-still-long", Law: "-", Broken: "a downtime in milliseconds is taken for seconds",
		Edits: []Edit{{"internal/importing/cib/vm.go", "\t\t\ttime.Millisecond},", "\t\t\ttime.Second},"}},
		Nets:  byCIBTests("TestGolden"),
	},
	{
		Name: "import-mark-is-text", Law: "-", Broken: "a source with the mark of UTF-8 is refused",
		Edits: []Edit{{"internal/importing/markup.go", "[]byte(\"\\ufeff\")", "[]byte(\"\\ufeff \")"}},
		Nets:  byImportTests("TestTheMarkOfUTF8IsSkipped"),
	},
}
