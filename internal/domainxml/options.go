package domainxml

import (
	"encoding/json"
	"strings"
)

// optionsXML are arguments that QEMU is given beside those that libvirt makes.
type optionsXML struct {
	Arguments []struct {
		Value string `xml:"value,attr"`
	} `xml:"arg"`
}

// secret names the first argument that holds a secret for certain, without the secret: an object
// of QEMU's for secrets whose data stands in it, or a console with its password. Passwords that
// are only asked for (password=on) and secrets in files hold none.
func (o optionsXML) secret() string {
	for i, argument := range o.Arguments {
		before := ""
		if i > 0 {
			before = strings.TrimPrefix(o.Arguments[i-1].Value, "-")
		}
		if what := secretIn(strings.TrimPrefix(before, "-"), argument.Value); what != "" {
			return what
		}
	}
	return ""
}

// secretIn says what of an option's value is a secret.
func secretIn(option, value string) string {
	kind, rest, _ := strings.Cut(value, ",")
	switch {
	case option == "object" && strings.HasPrefix(value, "{"):
		var object struct {
			Kind string `json:"qom-type"`
			Data string `json:"data"`
		}
		if json.Unmarshal([]byte(value), &object) == nil && object.Kind == "secret" && object.Data != "" {
			return "data of -object secret"
		}
	case option == "iscsi":
		if valueOf(value, "password") != "" {
			return "password= of -iscsi"
		}
	case option == "object" && (kind == "secret" || kind == "qom-type=secret"):
		if valueOf(rest, "data") != "" {
			return "data= of -object secret"
		}
	case option == "spice":
		if password := valueOf(value, "password"); password != "" && password != "on" && password != "off" {
			return "password= of -spice"
		}
	}
	return ""
}

// valueOf is the value of a key in an option of QEMU's; in it a comma stands twice.
func valueOf(option, key string) string {
	for _, part := range strings.Split(strings.ReplaceAll(option, ",,", "\x00"), ",") {
		if value, found := strings.CutPrefix(part, key+"="); found {
			return value
		}
	}
	return ""
}
