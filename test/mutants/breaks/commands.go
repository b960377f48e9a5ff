package breaks

// commands are the breaks of what a person types and reads. None breaks a law of the cluster: it
// misleads whoever acts on the answer.
var commands = []Mutant{
	{
		Name: "version-of-a-file-is-forgotten", Law: "L7",
		Broken: "a file that was made from an older version of the document overwrites what came between",
		Edits: []Edit{{"cmd/clusterd/config.go", "strconv.ParseUint(found[1], 10, 64)",
			"strconv.ParseUint(found[1][:0], 10, 64)"}},
		Nets: []Net{tests("cmd/clusterd", "^TestTheVersionAFileWasMadeFor$")},
	},
	{
		Name: "first-of-two-operations-is-dropped", Law: "L7",
		Broken: "of two operations in one command line one is done, and nobody says that the other was not",
		Edits: []Edit{{"internal/cli/options.go", "\t\t\tif first.name != \"\" {\n",
			"\t\t\tif first.name == o.name {\n"}},
		Nets: []Net{tests("internal/cli", "^TestArgumentsFollowGetopt$"),
			tests("cmd/clusvcadm", "^TestTranscriptOfEveryOperation$")},
	},
	{
		Name: "status-takes-longer-than-a-second", Law: "R",
		Broken: "clustat asks a cluster without a leader for longer than the second that is promised",
		Edits: []Edit{{"cmd/clustat/show.go", "freshWithin = 500 * time.Millisecond",
			"freshWithin = 1500 * time.Millisecond"}},
		Nets: []Net{tests("cmd/clustat", "^TestAStatusComesWithinASecond$")},
	},
	{
		Name: "success-without-its-reason", Law: "R",
		Broken: "a stop that still asks other nodes, and a VM that came up without its NVRAM, are told as a plain success",
		Edits: []Edit{{"cmd/clusvcadm/dialogue.go", "\tif !d.where(reply) || !reply.Why.Is(",
			"\tif !d.where(reply) && reply.Why.Is("}},
		Nets: []Net{tests("cmd/clusvcadm", "^TestTranscriptOfSuccessesWithAReason$")},
	},
}
