package main

import (
	_ "embed"
	"testing"

	"github.com/clusterd/clusterd/internal/help"
	"github.com/clusterd/clusterd/internal/manual"
)

//go:embed manual.txt
var prose string

func TestManualPageAndCompletion(t *testing.T) {
	page := manual.Page{Name: "clustat", Usage: usage, Synopsis: synopsis, Flags: flags(), Prose: prose,
		Examples: help.Examples(examples)["clustat"]}
	manual.Same(t, "../../docs/man/clustat.8", page.Text())
	manual.SameCompletions(t, "../../packaging", manual.Tool{Name: "clustat", Flags: flags()})
}
