package breaks

const (
	satisfy = "internal/config/satisfy.go"
	crowd   = "internal/config/placing/crowd.go"
	grouped = "internal/config/placing/rules.go"
	timing  = "internal/daemon/timing.go"
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
		Edits:  []Edit{{timing, "\t\td.pulse.Retime(profile)\n", ""}},
		Nets:   first(tests("internal/daemon", "^TestTheDocumentsTimingReachesLogAndHeartbeats$")),
	},
	{
		Name: "timing-is-forgotten-at-the-next-start", Law: "R",
		Broken: "the timing of the document is not kept for the next start",
		Edits: []Edit{{timing, "err = d.options.Folder.Write(timingFile, keptTiming{timing})",
			"err = d.options.Folder.Write(timingFile, keptTiming{})"}},
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
		Name: "a-grace-under-a-watchdog-is-promised", Law: "R",
		Broken: "a stopped daemon says that it may be back within its grace, on a host that its watchdog resets",
		Edits:  []Edit{{"internal/daemon/goodbye.go", "reset > 0 {", "reset < 0 {"}},
		Nets:   first(tests("internal/daemon", "^TestAGuardedHostIsToldWhenItIsReset$")),
	},
}
