package cluster

// Return codes of requests; the numbers and texts are rgmanager's
// (clulib/rg_strings.c), because scripts read clusvcadm's exit code.
const (
	codeSuccess    = 0
	codeFailure    = -1
	codeAborted    = -2
	codeNoService  = -4
	codeDeadlock   = -5
	codeTemporary  = -6
	codeDependency = -7
	codeInvalid    = -8
	codeRunning    = -10
	codeFrozen     = -11
	codeNodeDead   = -12
	codeFencing    = -13
	codeExclusive  = -16
	codeRunsAtHome = -17
)

var codeTexts = map[int]string{
	codeSuccess:    "Success",
	codeFailure:    "Failure",
	codeAborted:    "Aborted; service failed",
	codeNoService:  "Service does not exist",
	codeDeadlock:   "Operation would cause a deadlock",
	codeTemporary:  "Temporary failure; try again",
	codeDependency: "Operation violates dependency rule",
	codeInvalid:    "Invalid operation for resource",
	codeRunning:    "Service is already running",
	codeFrozen:     "Failure: Service is frozen",
	codeNodeDead:   "Target node dead / nonexistent",
	codeFencing:    "Fencing operation pending; try again later",
	codeExclusive:  "Service not runnable: cannot run exclusive",
	codeRunsAtHome: "Failed; service running on original owner",
}

// CodeText is the text that rgmanager prints for a return code.
func CodeText(code int) string {
	if text, known := codeTexts[code]; known {
		return text
	}
	return "Failure"
}
