// Package importing turns the configuration of another cluster manager into a
// cluster document and an honest report. What the two importers share is here:
// reading bounded XML with the place of every element and attribute (Markup),
// the report (Report), and the document as it grows (Draft). The importers
// themselves are rgconf (rgmanager's cluster.conf) and cib (Pacemaker).
//
// Nothing of a source is passed over in silence. Every finding names the
// attributes it speaks of, which marks them as told, and Report.Rest adds one
// finding for each element and attribute that nobody told about.
//
// Duties of the caller: Draft.Text and the source itself hold passwords; they
// go to files of mode 0600 and never to a screen. The report holds none.
package importing
