// Package nodefile reads the small file of a node's own settings: what a node must know before it
// knows the cluster, and what only who is root on it may decide.
package nodefile
