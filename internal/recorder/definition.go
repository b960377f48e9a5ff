package recorder

import (
	"encoding/xml"
	"errors"
	"html"
	"io"
	"strings"

	"github.com/clusterd/clusterd/resources"
)

// private are the elements of a libvirt definition whose whole content may be
// anything, passwords too: what people put there for the guest or for QEMU.
var private = map[string]bool{"metadata": true, "commandline": true, "sysinfo": true, "cmdline": true,
	"cookies": true, "cookie": true,
	"launchSecurity": true, "initenv": true, "initarg": true, "description": true}

// privateWords in an attribute's name make its value a secret.
var privateWords = []string{"passw", "token", "query", "dhcert", "session", "passphrase"}

// DefinitionWithoutSecrets returns a VM's libvirt XML as it may be shown: without
// passwords of consoles, and without the parts that may hold anything. What
// cannot be read is blanked whole.
//
// Of a service's resources, which are not XML, it returns the tree without the values of secret
// parameters.
func DefinitionWithoutSecrets(text string) string {
	if strings.HasPrefix(strings.TrimSpace(text), "[") {
		tree, err := resources.ReadTree(text)
		if err != nil {
			return Blank
		}
		shown, _ := resources.TreeDefinition(treeWithoutSecrets(tree))
		return shown
	}
	decoder := xml.NewDecoder(strings.NewReader(text))
	var out strings.Builder
	var open []string // the elements around
	hidden := 0       // how many of them are private
	for {
		before := decoder.InputOffset()
		token, err := decoder.RawToken()
		if errors.Is(err, io.EOF) && len(open) == 0 {
			return out.String()
		}
		if err != nil {
			return Blank
		}
		original := text[before:decoder.InputOffset()]
		switch token := token.(type) {
		case xml.StartElement:
			if hidden == 0 {
				out.WriteString(startTag(token, original))
			}
			open = append(open, token.Name.Local)
			if private[token.Name.Local] {
				hidden++
			}
		case xml.EndElement:
			if len(open) == 0 || open[len(open)-1] != token.Name.Local {
				return Blank
			}
			open = open[:len(open)-1]
			if private[token.Name.Local] {
				hidden--
				// The decoder ends <a/> as if </a> were written, with nothing in between.
				if hidden == 0 && original != "" {
					out.WriteString(Blank)
				}
			}
			if hidden == 0 {
				out.WriteString(original)
			}
		case xml.CharData:
			if hidden == 0 {
				out.WriteString(original)
			}
			// Comments, instructions and directives are left out: they mean nothing to
			// libvirt, and may hold an old password.
		}
	}
}

// startTag is the tag as it was, or anew where an attribute is a secret.
func startTag(element xml.StartElement, original string) string {
	secret := private[element.Name.Local] && len(element.Attr) > 0
	for _, attribute := range element.Attr {
		secret = secret || privateName(attribute.Name.Local)
	}
	if !secret {
		return original
	}
	var out strings.Builder
	out.WriteString("<" + fullName(element.Name))
	for _, attribute := range element.Attr {
		value := attribute.Value
		if attribute.Name.Space != "xmlns" && (private[element.Name.Local] || privateName(attribute.Name.Local)) {
			value = Blank
		}
		out.WriteString(" " + fullName(attribute.Name) + `="` + html.EscapeString(value) + `"`)
	}
	if strings.HasSuffix(original, "/>") {
		out.WriteString("/")
	}
	out.WriteString(">")
	return out.String()
}

func fullName(name xml.Name) string {
	if name.Space == "" {
		return name.Local
	}
	return name.Space + ":" + name.Local
}

func privateName(name string) bool {
	name = strings.ToLower(name)
	for _, word := range privateWords {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
