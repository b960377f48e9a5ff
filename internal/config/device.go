package config

import (
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/config/keys"
	"github.com/clusterd/clusterd/internal/config/options"
	"github.com/clusterd/clusterd/internal/config/rewrite"
	"github.com/clusterd/clusterd/internal/config/strict"
)

// deviceKeys are the keys of a fence device.
var deviceKeys = slices.Concat(accessKeys, limitKeys, optionsKeys)

// accessKeys say how a device is reached.
var accessKeys = []key[fence.Device]{
	{
		Name:   "driver",
		Effect: EffectNow,
		Read: func(p *parser, d *fence.Device) func(*yaml.Node) {
			return p.Choice(&d.Driver, "the driver of device "+d.Name, Drivers...)
		},
		Told:  func(d fence.Device) string { return d.Driver },
		Shown: func(d fence.Device) string { return ", " + d.Driver },
		Means: "`ipmi` and `redfish` (built in), `ipmitool` (the program), `agent` (any fence agent); [without " +
			"power](fencing.md#without-a-power-switch): `scsi` (reservations), `watchdog`, `sbd` (messages on disks); see " +
			"[fencing](fencing.md); `simulated` is a word kept for tests, no daemon has that driver",
	},
	{
		Name:   "address",
		Effect: EffectNow,
		Read: func(p *parser, d *fence.Device) func(*yaml.Node) {
			return p.address(&d.Address, "the address of device "+d.Name)
		},
		Told:  func(d fence.Device) string { return d.Address },
		Shown: func(d fence.Device) string { return onlyIf(d.Address != "", " at %s", d.Address) },
		Means: "host, or host:port, of the BMC; needed, except where an agent needs none",
	},
	{
		Name:   "username",
		Effect: EffectNow,
		Read: func(p *parser, d *fence.Device) func(*yaml.Node) {
			return p.Text(&d.Username, "the username of device "+d.Name)
		},
		Told:  func(d fence.Device) string { return d.Username },
		Shown: func(d fence.Device) string { return onlyIf(d.Username != "", ", user %s", d.Username) },
		Means: "the BMC account; `operator` is enough",
	},
	{
		Name:   "password_credential",
		Effect: EffectNow,
		Read: func(p *parser, d *fence.Device) func(*yaml.Node) {
			return p.Name(&d.Credential, "password_credential")
		},
		Told: func(d fence.Device) string { return d.Credential },
		Shown: func(d fence.Device) string {
			return onlyIf(d.Credential != "", ", password from credential %s", d.Credential)
		},
		Means: "in place of `password`: the name of a systemd credential, which each node's daemon reads at each use, " +
			"so that the password stands in no log. Give it to every node's unit (`systemctl edit clusterd`, `[Service]`, " +
			"`LoadCredential=bmc1:/etc/clusterd/bmc1`, or `LoadCredentialEncrypted=`) and restart the daemon",
	},
	{
		// It is read, as its file is, once it is known where it comes from.
		Name:   "password",
		Beside: "username",
		Effect: EffectNow,
		Changed: func(old, new fence.Device) keys.Changes {
			return changedUnseen("password", old.Password, new.Password)
		},
		Shown: func(d fence.Device) string { return onlyIf(d.Password != "", ", password %s", rewrite.Mask) },
	},
	{
		Name:   "password_file",
		Effect: EffectNow,
		Means: "in place of `password`: a file that holds it on its only line, read where `clusterd config apply` runs. " +
			"A relative path begins in the [folder of the document](#files-that-the-document-names)",
	},
}

// optionsKeys are what a driver is told besides.
var optionsKeys = []key[fence.Device]{
	{
		Name:   "options",
		Effect: EffectNow,
		Read: func(p *parser, d *fence.Device) func(*yaml.Node) {
			return func(node *yaml.Node) { d.Options = p.options("device "+d.Name, node) }
		},
		Changed: changedOptions,
		Shown: func(d fence.Device) string {
			return onlyIf(len(d.Options) > 0, ", %s", optionsText(d.Options, d.Schema().Hides))
		},
		Means: "the driver's own settings. They are shown by `clusterd config show`; passwords do not belong here",
	},
}

// device reads one fence device.
func (p *parser) device(name string, key, value *yaml.Node) {
	if !p.GoodName(key, "device", name) {
		return
	}
	p.places.devices[name] = key
	d := fence.Device{Name: name}
	p.places.deviceOptions[name] = value
	what := "device " + name
	p.Mapping(value, what, keys.Fields(deviceKeys, p, &d))
	password, passwordFile := entry(value, "password"), entry(value, "password_file")
	given := entry(value, "options")
	p.unmaskOptions(name, given, d.Options)
	if value.Kind == yaml.MappingNode {
		p.needs(value, key, what, "driver", "give one of "+strict.List(Drivers))
		if schema, known := fence.SchemaOf(d.Driver); !known || schema.Reached {
			p.needs(value, key, what, "address", "give the host of its BMC, for example 10.0.0.101")
		}
		options.Check(&p.Reader, d, options.Places{Key: key, Options: given, Password: password})
		p.checkNoPower(d, what, value)
	}
	switch credential := entry(value, "password_credential"); {
	case credential != nil && (password != nil || passwordFile != nil):
		p.Fault(credential, "%s has a password beside password_credential; keep one", what)
	case password != nil && passwordFile != nil:
		p.Fault(passwordFile, "%s has both password and password_file; keep one", what)
	case passwordFile != nil:
		d.Password = p.passwordFromFile(name, value, passwordFile)
	case password != nil:
		d.Password = p.password(name, value, password)
	}
	p.document.Devices[name] = d
}

func changedDevice(old, new fence.Device) keys.Changes { return keys.Diff(deviceKeys, old, new) }

func deviceText(name string, d fence.Device) string {
	return "device " + name + keys.Show(deviceKeys, d, ", ")
}

// needs records a fault when a mapping lacks a key.
func (p *parser) needs(mapping, at *yaml.Node, what, key, advice string) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return
		}
	}
	p.Fault(at, "%s has no %q; %s", what, key, advice)
}

func (p *parser) address(into *string, what string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		value, ok := p.Word(node, what)
		if !ok {
			return
		}
		if err := strict.HostPort(value); err != nil {
			p.Fault(node, "%s: %v", what, err)
			return
		}
		*into = value
	}
}

func (p *parser) options(what string, node *yaml.Node) map[string]string {
	options := map[string]string{}
	p.Entries(node, "options of "+what, func(key, value *yaml.Node) {
		if text, ok := p.valueOrFile(node, key, value, "option "+key.Value+" of "+what); ok {
			options[key.Value] = text
		}
	})
	return options
}

// valueOrFile reads an option or parameter: what is written, or {file: PATH} for the only line of
// a file, which takes the place of its name. That is for secrets: a value that the document may
// show belongs into it.
func (p *parser) valueOrFile(mapping, key, value *yaml.Node, what string) (string, bool) {
	if value.Kind != yaml.MappingNode {
		return p.Literal(value, what)
	}
	var file *yaml.Node
	p.Mapping(value, what, strict.Fields{"file": func(node *yaml.Node) { file = node }})
	switch {
	case file == nil:
		p.Fault(value, "%s must be text, or {file: PATH}", what)
		return "", false
	case !fence.SoundsSecret(key.Value):
		p.Fault(file, "%s would be read from a file and then be shown to all, because its name does not say that it is "+
			"secret; write the value out", what)
		return "", false
	}
	content, ok := p.contents(file, "the file of "+what)
	if !ok {
		return "", false
	}
	secret, rest, _ := strings.Cut(content, "\n")
	if secret = strings.TrimSuffix(secret, "\r"); secret == "" || strings.TrimSpace(rest) != "" {
		p.Fault(file, "the file of %s must hold the secret on its only line", what)
		return "", false
	}
	p.replace(mapping, value, "", secret)
	return secret, true
}

// password reads a password that is written out, or keeps the old one where the mask stands.
func (p *parser) password(device string, mapping, node *yaml.Node) fence.Secret {
	// kindOf would repeat the value, so the type is checked here in other words.
	if node.Kind != yaml.ScalarNode || node.ShortTag() == "!!null" {
		p.Fault(node, "the password of device %s must be text", device)
		return ""
	}
	if node.Value != rewrite.Mask {
		return fence.Secret(node.Value)
	}
	if p.keepMasks {
		return rewrite.Mask
	}
	if p.previous != nil {
		if old, found := p.previous.Devices[device]; found && old.Password != "" && old.Password != rewrite.Mask {
			p.replace(mapping, node, "", old.Password.Reveal())
			return old.Password
		}
	}
	p.Fault(node, "the password of device %s is masked, and there is no old one to keep; write the password", device)
	return ""
}

// passwordFromFile reads the first line of a file.
func (p *parser) passwordFromFile(device string, mapping, node *yaml.Node) fence.Secret {
	what := "the password_file of device " + device
	content, ok := p.contents(node, what)
	if !ok {
		return ""
	}
	password, rest, _ := strings.Cut(content, "\n")
	password = strings.TrimSuffix(password, "\r")
	if password == "" || strings.TrimSpace(rest) != "" {
		p.Fault(node, "%s must hold the password on its only line", what)
		return ""
	}
	p.replace(mapping, node, "password", password)
	return fence.Secret(password)
}

// contents reads a file that the document names.
func (p *parser) contents(node *yaml.Node, what string) (string, bool) {
	path, ok := p.Word(node, what)
	if !ok {
		return "", false
	}
	if p.readFile == nil {
		p.Fault(node, "%s names a file; files are read by the tool that applies the document, not here", what)
		return "", false
	}
	content, err := p.readFile(p.beside(path))
	if err != nil {
		p.Fault(node, "%s cannot be read: %v", what, err)
		return "", false
	}
	if len(content) > largestFile {
		p.Fault(node, "%s is larger than %d bytes", what, largestFile)
		return "", false
	}
	return string(content), true
}

// beside is the path of a file that the document names: a relative one begins in the folder that
// the document lies in. So a document means the same, wherever it is checked from. One that comes
// by standard input lies nowhere, and the working directory counts.
func (p *parser) beside(path string) string {
	folder := filepath.Dir(p.File)
	if folder == "." || path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}
