// Package web serves the page: files that need no network but the node's, one stream of what
// changes, and the tools' interface for who logged in by a link.
//
// It decides nothing and knows no State. What is shown are the interface's own answers
// (internal/server), as they are; who may do what is decided there, by the table of channels
// (internal/pki) and the roles. What it adds is what browsers make necessary: login links, visits,
// and the refusal of what another site has a visitor's browser send.
package web
