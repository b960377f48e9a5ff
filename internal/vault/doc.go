// Package vault opens and seals what the State keeps under the cluster's data key: the authority,
// and the secrets of the document. It brings new data keys into force, and lets a secret out only
// where it is used: into the one call of a fence driver, the one alert that is sent.
//
// What a driver answers is told without the secrets that it was given.
package vault
