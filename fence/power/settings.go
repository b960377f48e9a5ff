package power

import (
	"crypto/x509"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/clusterd/clusterd/fence"
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
		return fence.Operator
	}
	return fence.Administrator
}

func parseSettings(device fence.Device) (settings, error) {
	s := settings{name: device.Name, kind: device.Driver, username: device.Username,
		password: device.Password.Reveal(), ciphers: []int{17, 3}}
	wrong := func(format string, arguments ...any) (settings, error) {
		return settings{}, fmt.Errorf("fence device %s: "+format, append([]any{device.Name}, arguments...)...)
	}
	var err error
	if s.host, s.port, err = splitAddress(device.Address, portOf(device)); err != nil {
		return wrong("%v", err)
	}
	if err := device.Schema().Check(device.Options); err != nil {
		return wrong("%w", err)
	}
	s.take(device.Options)
	checkLogin := settings.checkIPMILogin
	if s.kind == KindRedfish {
		checkLogin = settings.checkRedfishLogin
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

// take reads the options, which fit the schema.
func (s *settings) take(options map[string]string) {
	if cipher, err := strconv.Atoi(options[fence.OptionCipher]); err == nil {
		s.ciphers = []int{cipher}
	}
	s.operator = options[fence.OptionPrivilege] == fence.Operator
	s.identity = options[fence.OptionIdentity]
	s.basic = options[fence.OptionAuth] == fence.AuthBasic
	s.system = options[fence.OptionSystem]
	s.trust.insecure = options[fence.OptionInsecure] == "true"
	if pem := options[fence.OptionCA]; pem != "" {
		s.trust.authorities = x509.NewCertPool()
		s.trust.authorities.AppendCertsFromPEM([]byte(pem))
	}
	if pinned := options[fence.OptionFingerprint]; pinned != "" {
		s.trust.fingerprints = fence.DigestsIn(pinned)
	}
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
