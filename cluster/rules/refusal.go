package rules

import (
	"fmt"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
)

// Refusal is a sentence that says which law or rule forbids a command, with
// rgmanager's return code where a person asked; the zero value is acceptance.
type Refusal struct {
	Code int
	Why  message.Text
}

// Accepted refuses nothing.
var Accepted = Refusal{}

// Refuse refuses with the code of rgmanager's that says no more than that.
func Refuse(why message.Text) Refusal { return RefuseAs(cluster.CodeFailure, why) }

// RefuseAs refuses with one of rgmanager's return codes.
func RefuseAs(code int, why message.Text) Refusal { return Refusal{Code: code, Why: why} }

// Refusef refuses by a sentence that has no code yet.
func Refusef(format string, args ...any) Refusal {
	return RefuseAsf(cluster.CodeFailure, format, args...)
}

// RefuseAsf refuses by a sentence that has no code yet, with one of rgmanager's return codes.
func RefuseAsf(code int, format string, args ...any) Refusal {
	return RefuseAs(code, message.Sentence(fmt.Sprintf(format, args...)))
}
