package cli

import (
	"errors"

	"github.com/clusterd/clusterd/internal/api"
)

// Return codes of requests. The numbers down to CodeWarning are rgmanager's, the last two are ours.
const (
	CodeSuccess        = 0
	CodeFailure        = -1
	CodeNoService      = -4
	CodeTemporary      = -6
	CodeNoQuorum       = -9
	CodeRunning        = -10
	CodeDenied         = -18
	CodeWarning        = -19
	CodeOutcomeUnknown = -20 // Exit code 236.
	CodeStillUnderWay  = -21 // Exit code 235: the wait ended before the operation.
)

var codeTexts = map[int]string{
	CodeSuccess:        "Success",
	CodeFailure:        "Failure",
	-2:                 "Aborted; service failed",
	-3:                 "Service not mastered locally",
	CodeNoService:      "Service does not exist",
	-5:                 "Operation would cause a deadlock",
	CodeTemporary:      "Temporary failure; try again",
	-7:                 "Operation violates dependency rule",
	-8:                 "Invalid operation for resource",
	CodeNoQuorum:       "Operation requires quorum",
	CodeRunning:        "Service is already running",
	-11:                "Failure: Service is frozen",
	-12:                "Target node dead / nonexistent",
	-13:                "Fencing operation pending; try again later",
	-14:                "S/Lang Script Error",
	-15:                "Service not runnable",
	-16:                "Service not runnable: cannot run exclusive",
	-17:                "Failed; service running on original owner",
	CodeDenied:         "Permission denied",
	CodeWarning:        "Warning; see system logs",
	CodeOutcomeUnknown: "Outcome unknown",
	CodeStillUnderWay:  "Still under way",
}

// CodeText is the text that rgmanager printed for a return code. A code nobody knows is a
// failure, never a success.
func CodeText(code int) string {
	if text, known := codeTexts[code]; known {
		return text
	}
	return codeTexts[CodeFailure]
}

// ExitCode is the shell's view of a return code: 256-n, as rgmanager's, with "already running" a
// success. A code that would look like a success by truncation is a failure.
func ExitCode(code int) int {
	switch {
	case code == CodeSuccess || code == CodeRunning:
		return 0
	case code < 0 && code > -256:
		return 256 + code
	case code > 0 && code < 256:
		return code
	}
	return 255
}

// failureCodes are the return codes that fit the daemon's words for machines.
var failureCodes = map[string]int{
	"no_leader":         CodeNoQuorum,
	"no_quorum":         CodeNoQuorum,
	"unknown_service":   CodeNoService,
	"permission_denied": CodeDenied,
	"http_403":          CodeDenied,
	"busy":              CodeTemporary,
	"starting":          CodeTemporary,
	"log_volume":        CodeTemporary,
	"unknown_node":      -12,
	"not_yet_supported": -8, // not with the rules that this cluster follows yet
	"outcome_unknown":   CodeOutcomeUnknown,
}

// CodeOf turns the error of a request into a return code.
func CodeOf(err error) int {
	var failure api.Failure
	switch {
	case err == nil:
		return CodeSuccess
	case errors.Is(err, api.ErrOutcomeUnknown):
		return CodeOutcomeUnknown
	case errors.As(err, &failure):
		if code, known := failureCodes[failure.Code]; known {
			return code
		}
	}
	return CodeFailure
}
