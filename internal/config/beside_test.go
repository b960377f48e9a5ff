package config

import (
	"io/fs"
	"slices"
	"testing"
)

// Whoever checks a document from another folder than its own reads the same files.
func TestFilesThatADocumentNamesAreSoughtBesideIt(t *testing.T) {
	const text = "cluster: a\ndevices:\n" +
		"  b: {driver: ipmi, address: 10.0.0.9, username: a, password_file: secrets/b}\n" +
		"services:\n  vm:x: {definition_file: xml/x.xml}\n  vm:y: {definition_file: /srv/y.xml}\n" +
		"  vm:z: {definition_file: ../z.xml}\n"
	for document, want := range map[string][]string{
		"/etc/clusterd/a.yaml": {"/etc/clusterd/secrets/b", "/etc/clusterd/xml/x.xml", "/srv/y.xml", "/etc/z.xml"},
		"site/a.yaml":          {"site/secrets/b", "site/xml/x.xml", "/srv/y.xml", "z.xml"},
		"a.yaml":               {"secrets/b", "xml/x.xml", "/srv/y.xml", "../z.xml"},
		"./a.yaml":             {"secrets/b", "xml/x.xml", "/srv/y.xml", "../z.xml"},
		"standard input":       {"secrets/b", "xml/x.xml", "/srv/y.xml", "../z.xml"},
	} {
		var read []string
		_, err := Prepare(document, []byte(text), func(path string) ([]byte, error) {
			read = append(read, path)
			return nil, fs.ErrNotExist
		})
		if err == nil || !slices.Equal(read, want) {
			t.Errorf("%s reads %q", document, read)
		}
	}
}
