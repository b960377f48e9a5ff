package vm

import (
	"encoding/xml"
	"strings"
)

// keepsTPM returns the definition with the state of its emulated TPM kept: libvirt
// deletes it when a VM ends of which it keeps no definition, and ours are all such.
// Nothing else of the text changes.
func keepsTPM(definition string) string {
	decoder := xml.NewDecoder(strings.NewReader(definition))
	var path []string
	for {
		begin := decoder.InputOffset()
		token, err := decoder.RawToken()
		if err != nil {
			return definition
		}
		switch token := token.(type) {
		case xml.StartElement:
			path = append(path, token.Name.Local)
			if strings.Join(path, "/") == "domain/devices/tpm/backend" && valueOf(token, "type") == "emulator" {
				return definition[:begin] + keptState(definition[begin:decoder.InputOffset()]) + definition[decoder.InputOffset():]
			}
		case xml.EndElement:
			path = path[:max(0, len(path)-1)]
		}
	}
}

func valueOf(element xml.StartElement, name string) string {
	for _, attribute := range element.Attr {
		if attribute.Name.Local == name {
			return attribute.Value
		}
	}
	return ""
}

// keptState sets the attribute in the text of one tag.
func keptState(tag string) string {
	for _, no := range []string{"persistent_state='no'", `persistent_state="no"`} {
		tag = strings.Replace(tag, no, "persistent_state='yes'", 1)
	}
	if strings.Contains(tag, "persistent_state") {
		return tag
	}
	end := ">"
	if strings.HasSuffix(tag, "/>") {
		end = "/>"
	}
	return strings.TrimRight(strings.TrimSuffix(tag, end), " \t\r\n") + " persistent_state='yes'" + end
}
