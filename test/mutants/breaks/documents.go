package breaks

const (
	satisfy = "internal/config/satisfy.go"
	crowd   = "internal/config/placing/crowd.go"
	colour  = "internal/config/placing/colour.go"
	grouped = "internal/config/placing/rules.go"
	timing  = "internal/pace/pace.go"
)

// documents are breaks of how a document is judged, carried and followed.
var documents = []Mutant{
	{
		Name: "groups-without-a-node-are-taken", Law: "R",
		Broken: "services that run together are taken although no node may run all of them",
		Edits:  []Edit{{satisfy, "range rules.Disjoint() {", "range rules.Disjoint()[:0] {"}},
		Nets:   first(tests("internal/config", "^TestServicesThatCouldNeverAllRun$")),
	},
	{
		Name: "apart-and-together-is-taken", Law: "R",
		Broken: "services that are kept apart are taken although they run together by way of another",
		Edits:  []Edit{{satisfy, "range rules.Parted() {", "range rules.Parted()[:0] {"}},
		Nets:   first(tests("internal/config", "^TestServicesThatCouldNeverAllRun$")),
	},
	{
		Name: "crowds-are-taken", Law: "R", Broken: "more services are kept apart than there are nodes for them",
		Edits: []Edit{{satisfy, "range crowds {", "range crowds[:0] {"}},
		Nets:  first(tests("internal/config", "^TestServicesThatCouldNeverAllRun$")),
	},
	{
		Name: "crowds-of-all-nodes-are-taken", Law: "R",
		Broken: "services that may run anywhere are not counted against the nodes that are declared",
		Edits: []Edit{{crowd, "h.size = 2; h.limit() <= len(h.rules.nodes) &&",
			"h.size = 2; h.limit() < len(h.rules.nodes) &&"}},
		Nets: first(tests("internal/config", "^TestServicesThatCouldNeverAllRun$")),
	},
	{
		Name: "crowds-are-gathered-greedily", Law: "R",
		Broken: "a crowd is missed when the first service that fits belongs to none",
		Edits: []Edit{{crowd, "h.with(next, list[i+1:])) {\n\t\t\treturn true",
			"h.with(next, list[i+1:])) || i >= 0 {\n\t\t\treturn true"}},
		Nets: first(tests("internal/config/placing", "^TestTooMany$")),
	},
	{
		Name: "rings-are-taken", Law: "R", Broken: "a ring of services that are kept apart has no places, and is taken",
		Edits: []Edit{{satisfy, "range rings {", "range rings[:0] {"}},
		Nets:  first(tests("internal/config", "^TestARingOfServicesWithoutPlacesIsRefused$")),
	},
	{
		Name: "rings-that-were-not-searched-are-passed-over", Law: "R",
		Broken: "a document of which not all rings were searched is taken without a word",
		Edits:  []Edit{{satisfy, "!whole || !wholeRings", "!whole || !wholeRings && !whole"}},
		Nets:   first(tests("internal/config", "^TestARingThatWasNotSearchedIsTakenWithAWarning$")),
	},
	{
		Name: "a-riddle-hides-rings", Law: "R",
		Broken: "what is hard to place takes the bound of all that stands beside it",
		Edits:  []Edit{{colour, "c.here = mostWorkAt", "c.here = c.left"}},
		Nets:   first(tests("internal/config/placing", "^TestARingBesideWhatIsNotSearched$")),
	},
	{
		Name: "companions-have-nodes-of-their-own", Law: "R",
		Broken: "who runs together with a service is judged as if it could have nodes that the service may not have",
		Edits: []Edit{{grouped, "\t\t\t\tg.nodes, g.restricted = s.nodes, true",
			"\t\t\t\tg.nodes, g.restricted = r.anywhere, true"}},
		Nets: first(tests("internal/config/placing", "^TestTooMany$")),
	},
	{
		Name: "files-are-sought-where-somebody-stands", Law: "R",
		Broken: "a relative path in a document begins in the working directory, where another file may have that name",
		Edits: []Edit{{"internal/config/device.go", "\treturn filepath.Join(folder, path)",
			"\treturn filepath.Join(folder[:0], path)"}},
		Nets: first(tests("internal/config", "^TestFilesThatADocumentNamesAreSoughtBesideIt$")),
	},
	{
		Name: "heartbeats-keep-their-old-timing", Law: "R",
		Broken: "heartbeats that run do not follow the timing of a new document",
		Edits:  []Edit{{timing, "\t\tpulse.Retime(profile)\n", ""}},
		Nets:   first(tests("internal/daemon", "^TestTheDocumentsTimingReachesLogAndHeartbeats$")),
	},
	{
		Name: "timing-is-forgotten-at-the-next-start", Law: "R",
		Broken: "the timing of the document is not kept for the next start",
		Edits: []Edit{{timing, "err = p.Folder.Write(File, Kept{timing})",
			"err = p.Folder.Write(File, Kept{})"}},
		Nets: first(tests("internal/daemon", "^TestTheDocumentsTimingReachesLogAndHeartbeats$")),
	},
	{
		Name: "entries-are-not-packed", Law: "R", Broken: "a document of many VMs is too large for the log",
		Edits: []Edit{{"cluster/codec.go", "\tif len(text) < packFrom {", "\tif len(text) < packFrom<<12 {"}},
		Nets:  first(tests("cluster", "^TestADocumentOfFourThousandVMsFitsIntoAnEntry$")),
	},
	{
		Name: "what-no-entry-holds-is-proposed", Law: "R",
		Broken: "a document that is too large for the log is proposed, and fails without figures",
		Edits: []Edit{{"internal/server/config.go", "\tif len(data) <= quorum.MaxEntryBytes {",
			"\tif len(data) <= quorum.MaxEntryBytes<<8 {"}},
		Nets: first(tests("internal/server", "^TestADocumentThatNoEntryHoldsIsRefusedWithTheFigures$")),
	},
	{
		Name: "idle-logs-chatter", Law: "R", Broken: "an idle leader repeats the commit index every 50 ms",
		Edits: []Edit{{"quorum/log.go", "config.CommitTimeout = 250 *", "config.CommitTimeout = 50 *"}},
		Nets:  first(tests("quorum", "^TestAnIdleLogIsQuiet$")),
	},
	{
		Name: "what-runs-is-taken-in-as-disabled", Law: "R",
		Broken: "a service that is not to start by itself, and runs when it is declared, comes back nowhere",
		Edits: []Edit{{observe, "cluster.OpDisable) {\n\t\tservice.Enabled = true",
			"cluster.OpDisable) {\n\t\tservice.Enabled = service.Spec.Autostart"}},
		Nets: first(tests("cluster", "^TestWhatIsNotToStartByItselfRunsOnWhereItRuns$")),
	},
	{
		Name: "a-grace-under-a-watchdog-is-promised", Law: "R",
		Broken: "a stopped daemon says that it may be back within its grace, on a host that its watchdog resets",
		Edits:  []Edit{{"internal/daemon/goodbye.go", "reset > 0 {", "reset < 0 {"}},
		Nets:   first(tests("internal/daemon", "^TestAGuardedHostIsToldWhenItIsReset$")),
	},
}

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
		Edits: []Edit{{operation, "{\"block\": \"failed\", \"fence\": \"fence\"}",
			"{\"block\": \"fence\", \"fence\": \"fence\"}"}},
		Nets: byCIBTests("TestGolden"),
	},
	{
		Name: "import-answers-in-pairs-are-not-read", Law: "L8",
		Broken: "a node is fenced after a failed stop whose set of values asks for a person",
		Edits:  []Edit{{operation, "\tfail := t.said(op, \"on-fail\")", "\tfail := op.Get(\"on-fail\")"}},
		Nets:   byCIBTests("TestGolden"),
	},
	{
		Name: "import-pairs-of-operations-are-translated", Law: "-",
		Broken: "what an operation says and nobody reads is said to be translated",
		Edits:  []Edit{{operation, ".tellAll(cannot, noSetting)", ".tellAll(translated, noSetting)"}},
		Nets:   byImportTests("TestWhatIsTranslatedIsInTheDocument"),
	},
	{
		Name: "import-one-part-fences-for-all", Law: "L8",
		Broken: "a node is fenced for a service of which a part was to be left to a person",
		Edits:  []Edit{{operation, "\tcase had == \"failed\":", "\tcase had == \"-\":"}},
		Nets:   byCIBTests("TestGolden"),
	},
	{
		Name: "import-check-is-switched-on", Law: "R", Broken: "a monitor that was switched off is an active check",
		Edits: []Edit{{operation, "\t\tcheck.Interval = 0 ", "\t\tcheck.Timeout = 0 "}},
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
		Name: "import-tickets-start-anywhere", Law: "R",
		Broken: "what started only at the site that held its ticket is started here too",
		Edits: []Edit{{"internal/importing/cib/constraint.go",
			"\tfor _, service := range services {\n\t\tt.draft", "\tfor _, service := range services[:0] {\n\t\tt.draft"}},
		Nets: byImportTests("TestRandomCIBsKeepTheirMeaning"),
	},
	{
		Name: "import-templates-name-nothing", Law: "R", Broken: "a ban or a ticket of a template's resources is lost",
		Edits: []Edit{{"internal/importing/cib/resources.go", "\t\tt.tags[template.Get(\"id\")] = append(",
			"\t\tt.tags[\"\"] = append("}},
		Nets: byCIBTests("TestGolden"),
	},
	{
		Name: "import-outlets-behind-an-equals-sign-are-lost", Law: "L3",
		Broken: "a fence device switches no outlet, or another node's, where its map is written with equals signs",
		Edits:  []Edit{{"internal/importing/cib/stonith.go", "r == ':' || r == '=':", "r == ':':"}},
		Nets:   byCIBTests("TestGolden"),
	},
	{
		Name: "import-maps-name-nobody-silently", Law: "L7",
		Broken: "an entry of a host map that names no node is lost without a word",
		Edits: []Edit{{"internal/importing/cib/stonith.go",
			"\t\t\tt.SayAll(cannot, about, \"%q names no node of the cluster; left out\", m.entry)\n", ""}},
		Nets: byCIBTests("TestGolden"),
	},
	{
		Name: "import-inverted-patterns-match-nothing", Law: "R",
		Broken: "a ban of everything but what a pattern matches is lost",
		Edits:  []Edit{{locations, "pattern.MatchString(id) != inverted", "pattern.MatchString(id) && !inverted"}},
		Nets:   byImportTests("TestRandomCIBsKeepTheirMeaning"),
	},
	{
		Name: "import-starts-what-was-unmanaged", Law: "R",
		Broken: "what Pacemaker kept its hands off is started before anybody can freeze it",
		Edits: []Edit{{"internal/importing/cib/service.go",
			"\t\tspec.Set(\"autostart\", false)\n\t\tif !slices.Contains(t.frozen", "\t\tif !slices.Contains(t.frozen"}},
		Nets: byImportTests("TestRandomCIBsKeepTheirMeaning"),
	},
	{
		Name: "import-groups-switch-no-device-off", Law: "L3",
		Broken: "a fence device that was switched off with its group is a fence level",
		Edits: []Edit{{"internal/importing/cib/resources.go", "\t\ti := t.read(p, e)\n\t\tt.stonith(i)",
			"\t\ti := t.read(p)\n\t\tt.stonith(i)"}},
		Nets: byCIBTests("TestGolden"),
	},
	{
		Name: "import-clones-switch-no-device-off", Law: "L3",
		Broken: "a fence device that was switched off with its clone is a fence level",
		Edits:  []Edit{{"internal/importing/cib/resources.go", "t.read(p, above(p, e)...)", "t.read(p)"}},
		Nets:   byCIBTests("TestGolden"),
	},
	{
		Name: "import-default-times-are-not-used", Law: "-",
		Broken: "a stop may take the usual time where op_defaults gives it another",
		Edits:  []Edit{{operation, "\tif r.StopTimeout == 0 {", "\tif r.StopTimeout < 0 {"}},
		Nets:   byImportTests("TestRandomCIBsKeepTheirMeaning"),
	},
	{
		Name: "import-members-inherit-nothing", Law: "R",
		Broken: "a group is started though a template or a default has the hands kept off one of its members",
		Edits:  []Edit{{"internal/importing/cib/tree.go", "t.unmanaged(i.meta, name", "t.unmanaged(i.own, name"}},
		Nets:   byCIBTests("TestGolden"),
	},
	{
		Name: "import-default-overrules", Law: "R",
		Broken: "what is managed by its own word stays down for the sake of a default",
		Edits:  []Edit{{"internal/importing/cib/service.go", "!own && t.unmanagedByDefault()", "t.unmanagedByDefault()"}},
		Nets:   byCIBTests("TestGolden"),
	},
	{
		Name: "import-ports-of-programs-are-dropped", Law: "L7",
		Broken: "a fence program that has no address is not told the port on which it is to speak",
		Edits: []Edit{{"internal/importing/fencing/device.go", "\tif d.made.Text(\"address\") != \"\" {",
			"\tif d.made.Text(\"address\") != \"-\" {"}},
		Nets: byConfTests("TestGolden"),
	},
	{
		Name: "import-services-elsewhere-say-nothing", Law: "R",
		Broken: "a service that refers to a shared one has none of its attributes",
		Edits: []Edit{{"internal/importing/rgconf/service.go", "t.shared[sharedKey(e.Name, ref)]; shared != nil {",
			"t.shared[sharedKey(e.Name, ref)]; shared != nil && e.Name != \"service\" {"}},
		Nets: byImportTests("TestRandomClusterConfsKeepTheirMeaning"),
	},
	{
		Name: "import-mark-is-text", Law: "-", Broken: "a source with the mark of UTF-8 is refused",
		Edits: []Edit{{"internal/importing/markup.go", "[]byte(\"\\ufeff\")", "[]byte(\"\\ufeff \")"}},
		Nets:  byImportTests("TestTheMarkOfUTF8IsSkipped"),
	},
}
