package rules

import (
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
