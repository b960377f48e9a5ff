// Package web tries the page in a real browser (Debian's chromium) against a simulated cluster. It
// is a module of its own, so that what drives the browser is linked by nothing else.
package web
