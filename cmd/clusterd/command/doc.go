// Package command is what the commands of clusterd have in common: how their words are ordered and
// misuse is answered, which daemon they talk to, and how a person is asked.
package command
