// Package ocf is the agent of services made of resources. It starts and stops
// their trees by the programs that package dialect knows, checks them at their
// intervals, and mends what can be mended in place.
//
// What it started is written down before it is started (record.go), in the
// node's run folder, so that the next daemon finds it; a boot forgets it. One
// service's acts and checks never overlap; those of different services do, up to
// a limit.
//
// A service is Absent when every resource was stopped with success or says that
// it is not running, and no program that was begun for it is still alive. All
// else is Running, Broken or Unknown (law L1).
package ocf
