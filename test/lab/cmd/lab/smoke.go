package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clusterd/clusterd/test/lab"
	"github.com/clusterd/clusterd/test/lab/smoke"
)

// demoSmoke builds a lab of its own, shows that it works, and removes it, also after Ctrl-C.
func demoSmoke(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	began := time.Now()
	built, err := lab.Up(ctx, lab.Options{Prefix: prefix()})
	if err != nil {
		return err
	}
	fmt.Printf("lab of %d hosts up in %v\n", len(built.Hosts), time.Since(began).Round(time.Millisecond))
	err = smoke.Run(ctx, built, func(line string) { fmt.Println(line) })
	ending := time.Now()
	err = errors.Join(err, built.Close())
	fmt.Printf("lab removed in %v\n", time.Since(ending).Round(time.Millisecond))
	return err
}
