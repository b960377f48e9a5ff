package power

import (
	"fmt"
	"net"
	"sort"
	"strconv"
	"strings"

	"github.com/clusterd/clusterd/fence"
)

// The options a device may carry.
const (
	// optionCipher chooses the one cipher suite to use, 3 or 17.
	optionCipher = "cipher"
	// optionPrivilege is the privilege asked for: administrator or operator.
	optionPrivilege = "privilege"
	// optionIdentity is the GUID this BMC is known to tell although it is not
	// its host's hardware UUID, as some boards do. It counts only together
	// with a drill.
	optionIdentity = "identity"
)

const (
	defaultPort = 623
	// The limits are IPMI 2.0's.
	maxUsername = 16
	maxPassword = 20
	maxHost     = 253
)

// settings is a device, understood.
type settings struct {
	name     string
	host     string
	port     int
	username string
	password string
	ciphers  []int
	operator bool
	identity string
	// basic, trust and system are Redfish's.
	basic  bool
	trust  trust
	system string
	kind   string
}

// String names the BMC for people and leaves the secrets out.
func (s settings) String() string {
	return "BMC " + s.name + " (" + net.JoinHostPort(s.host, strconv.Itoa(s.port)) + ")"
}

func (s settings) privilege() string {
	if s.operator {
		return "operator"
	}
	return "administrator"
}

func parseSettings(device fence.Device) (settings, error) {
	s := settings{name: device.Name, kind: device.Driver, username: device.Username,
		password: device.Password.Reveal(), ciphers: []int{17, 3}}
	wrong := func(format string, arguments ...any) (settings, error) {
		return settings{}, fmt.Errorf("fence device %s: %s", device.Name, fmt.Sprintf(format, arguments...))
	}
	var err error
	if s.host, s.port, err = splitAddress(device.Address, portOf(device)); err != nil {
		return wrong("%v", err)
	}
	option, checkLogin := s.ipmiOption, settings.checkIPMILogin
	if s.kind == KindRedfish {
		option, checkLogin = s.redfishOption, settings.checkRedfishLogin
	}
	for _, name := range sortedKeys(device.Options) {
		if err := option(name, device.Options[name]); err != nil {
			return wrong("%v", err)
		}
	}
	if err := checkLogin(s); err != nil {
		return wrong("%v", err)
	}
	return s, nil
}

// checkIPMILogin holds the limits of IPMI.
func (s settings) checkIPMILogin() error {
	if s.username == "" || len(s.username) > maxUsername || strings.ContainsAny(s.username, "\x00\n") {
		return fmt.Errorf("username must have 1 to %d characters, the limit of IPMI", maxUsername)
	}
	if len(s.password) > maxPassword || strings.ContainsRune(s.password, 0) {
		return fmt.Errorf("password must have at most %d characters, the limit of IPMI", maxPassword)
	}
	return nil
}

func (s *settings) ipmiOption(name, value string) error {
	switch name {
	case optionCipher:
		if value != "3" && value != "17" {
			return fmt.Errorf("option cipher is %q, but only 3 and 17 protect a session", value)
		}
		number, _ := strconv.Atoi(value)
		s.ciphers = []int{number}
	case optionPrivilege:
		if value != "administrator" && value != "operator" {
			return fmt.Errorf("option privilege is %q; say administrator or operator", value)
		}
		s.operator = value == "operator"
	case optionIdentity:
		return s.identityOption(value)
	default:
		return fmt.Errorf("option %q is not known; there are cipher, identity and privilege", name)
	}
	return nil
}

func (s *settings) identityOption(value string) error {
	if _, ok := parseGUID(value); !ok {
		return fmt.Errorf("option identity is %q; write the GUID that the BMC tells, 32 hexadecimal digits", value)
	}
	s.identity = value
	return nil
}

// splitAddress takes "host", "host:port", "[v6]:port" and a bare v6 address.
func splitAddress(address string, standard int) (string, int, error) {
	host, port := address, standard
	if h, p, err := net.SplitHostPort(address); err == nil {
		number, err := strconv.Atoi(p)
		if err != nil || number < 1 || number > 65535 {
			return "", 0, fmt.Errorf("address %q: the port must be 1 to 65535", address)
		}
		host, port = h, number
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	isAddress := net.ParseIP(host) != nil
	if host == "" || len(host) > maxHost || (!isAddress && strings.ContainsAny(host, " :/@\t\n")) ||
		strings.HasPrefix(host, "-") {
		return "", 0, fmt.Errorf("address %q: write host or host:port of the BMC", address)
	}
	return host, port, nil
}

func sortedKeys(options map[string]string) []string {
	keys := make([]string, 0, len(options))
	for key := range options {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
