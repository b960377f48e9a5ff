package fence

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Schema is what a device of one driver may declare. The document's reader and the driver
// read the same one, so that an option is declared once: what config check takes, the driver
// takes on the night when it counts.
type Schema struct {
	// Driver is the word by which a device names it.
	Driver string
	// Effect is what a device of it proves.
	Effect  Effect
	Options []Option
	// Exclusive are options of which a device has one at most.
	Exclusive []string
	// Open says that there are further options, which the program knows that the device names.
	Open bool
	// Piped says that all values pass through the fence agents' protocol; see Passable.
	Piped bool
	// Refused are options that an open driver would pass on and a device may not have, each
	// with the reason. They are written with underscores.
	Refused map[string]string
	// Reached says that a device needs an address. Some agents have none: a serial line, a cloud.
	Reached bool
	// Mute devices never tell whose they are; a drill has to show it, or a person to answer
	// for it (OptionIdentity is Assumed).
	Mute bool
	// Patient devices may take seconds for each of many answers.
	Patient bool
}

// Option is one setting of a driver.
type Option struct {
	Name string
	Kind Kind
	// Allowed are the values of a OneOf. Where there is a single one, nothing is said by
	// leaving the option out.
	Allowed []string
	// Counts are the least and the most entries of a list; Odd asks for an odd number.
	Counts [2]int
	Odd    bool
	// AnyWith is another option; where it is given, the names of the disks are not judged.
	AnyWith string
	// Required says that a device has to have it, Advice what to write.
	Required bool
	Advice   string
	// Secret values are shown to nobody, and sealed in the log.
	Secret bool
	// Default is what holds without it, in the words of its values; "" where that is no value.
	Default string
	// Help is its line in the operators' pages.
	Help string
}

// SchemaOf is the schema of a driver, and false where no driver has this name.
func SchemaOf(driver string) (Schema, bool) {
	for _, s := range schemas {
		if s.Driver == driver {
			return s, true
		}
	}
	return Schema{}, false
}

// Drivers are the words that a device may name, sorted.
func Drivers() []string {
	names := make([]string, 0, len(schemas))
	for _, s := range schemas {
		names = append(names, s.Driver)
	}
	slices.Sort(names)
	return names
}

// Schema of the device's driver; the zero Schema where there is no such driver.
func (d Device) Schema() Schema {
	s, _ := SchemaOf(d.Driver)
	return s
}

// Assumes reports whether a person answers for the device being the node's.
func (d Device) Assumes() bool { return d.Schema().Mute && d.Options[OptionIdentity] == Assumed }

// Option returns the option of this name, and false where the driver declares none.
func (s Schema) Option(name string) (Option, bool) {
	for _, o := range s.Options {
		if o.Name == name {
			return o, true
		}
	}
	return Option{}, false
}

// Names are the declared options, sorted.
func (s Schema) Names() []string {
	names := make([]string, 0, len(s.Options))
	for _, o := range s.Options {
		names = append(names, o.Name)
	}
	slices.Sort(names)
	return names
}

// Refusal is why an option may not be given; "" where it may. Agents know an option by dashes
// and by underscores.
func (s Schema) Refusal(name string) string {
	return s.Refused[strings.ReplaceAll(strings.ToLower(name), "-", "_")]
}

// Hides reports whether the value of an option is shown to nobody. What a driver declares, it
// knows the secrecy of; of all other options the name has to say it.
func (s Schema) Hides(name, value string) bool {
	if o, known := s.Option(name); known {
		return (o.Secret && value != "") || HoldsSecret(value)
	}
	return IsSecret(name, value)
}

// Check holds the options of a device against its schema, as a driver does before it uses
// them. The fault is an OptionFault.
func (s Schema) Check(options map[string]string) error {
	names := slices.Sorted(maps.Keys(options))
	for _, name := range names {
		if err := s.checkOne(name, options); err != nil {
			return OptionFault{Option: name, Err: err}
		}
	}
	for _, o := range s.Options {
		if _, given := options[o.Name]; o.Required && !given {
			return OptionFault{Option: o.Name, Err: fmt.Errorf("it has no option %s; %s", o.Name, o.Advice)}
		}
	}
	if first, second := s.Conflict(names, options); second != "" {
		return OptionFault{Option: second,
			Err: fmt.Errorf("options %s and %s exclude each other; keep one", first, second)}
	}
	return nil
}

func (s Schema) checkOne(name string, options map[string]string) error {
	o, known := s.Option(name)
	switch why := s.Refusal(name); {
	case why != "":
		return fmt.Errorf("option %s is not allowed: %s", name, why)
	case !known && s.Open:
		return nil
	case !known:
		return fmt.Errorf("option %q is not known; there are %s", name, strings.Join(s.Names(), ", "))
	}
	if err := o.Check(options[name], options); err != nil {
		return fmt.Errorf("option %s %w", name, err)
	}
	return nil
}

// Conflict returns the first two of the named options that exclude each other. An option that
// says "false" is as good as none.
func (s Schema) Conflict(names []string, options map[string]string) (first, second string) {
	for _, name := range names {
		switch {
		case !slices.Contains(s.Exclusive, name) || options[name] == "false":
		case first != "":
			return first, name
		default:
			first = name
		}
	}
	return "", ""
}
