package smoke

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/clusterd/clusterd/test/lab"
)

func TestMain(m *testing.M) {
	lab.Reexec()
	os.Exit(m.Run())
}

func TestLabSmoke(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	built := lab.ForTest(t, ctx, lab.Options{Prefix: "smoke"})
	if err := Run(ctx, built, func(line string) { t.Log(line) }); err != nil {
		t.Fatal(err)
	}
}
