// Package tryout tries a document without a cluster: on paper, or a service with the agents of this
// host. It asks no daemon.
package tryout
