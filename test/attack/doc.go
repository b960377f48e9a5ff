// Attack plays the attacks of people who do not belong on a cluster of three daemons on loopback,
// whose hypervisors and machines are pretended and whose ports, certificates and log are real. Each
// attack says what it tries; it is held when the cluster refuses or bounds it. The last line of the
// output is
//
//	figure: attacks=N held=N left_out=N failover_ratio_worst=R
//
// where R is the longest failover under an attack, as a multiple of the one without; "-" where none
// was measured.
package main
