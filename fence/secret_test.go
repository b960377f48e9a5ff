package fence

import (
	"strings"
	"testing"
)

func TestWhatSoundsSecretIs(t *testing.T) {
	for _, name := range []string{
		"password", "passwd", "snmp_priv_passwd", "snmp-auth-passwd", "community", "Community", "replication_passwd",
		"test_passwd", "kg", "ipmi_kg", "api_token", "secret_key", "access_key", "auth", "pin", "api-key", "ssh_passphrase",
		"user_password", "file_password", "login-token", "method_key",
	} {
		if !SoundsSecret(name) {
			t.Errorf("%s does not sound secret", name)
		}
	}
	for _, name := range []string{
		"ip", "background", "device", "passwd_script", "password_file", "identity_file", "auth_type", "login", "monkey",
		"keyboard", "priority", "directory", "options", "token_timeout", "snmp_auth_prot_type",
		"auth_method", "auth_user", "snmp_auth_prot", "passwd_login", "username", "method",
	} {
		if SoundsSecret(name) {
			t.Errorf("%s sounds secret", name)
		}
	}
	for name, value := range map[string]string{"auth": "none", "Auth": "MD5", "http-auth": "basic"} {
		if IsSecret(name, value) || HoldsSecret(name+"="+value) {
			t.Errorf("%s=%s says how to log in, and is masked", name, value)
		}
	}
	for name, value := range map[string]string{"auth": "hush", "password": "none", "auth_key": "md5"} {
		if !IsSecret(name, value) || !HoldsSecret(name+"="+value) {
			t.Errorf("%s=%s is shown", name, value)
		}
	}
	for _, value := range []string{
		"username=backup,password=hush", "ro,credentials=x", "--token hush", "--api-key=hush", "https://bob:hush@host/x",
	} {
		if !HoldsSecret(value) {
			t.Errorf("%q holds no secret", value)
		}
	}
	for _, value := range []string{"", "ro,noatime", "10.0.0.5", "--verbose", "https://host/x?y=1",
		"credentials_file=/etc/x"} {
		if HoldsSecret(value) {
			t.Errorf("%q holds a secret", value)
		}
	}
}

func TestWhatOthersSayIsToldWithoutTheSecrets(t *testing.T) {
	const secret = `pa"ss <&> word`
	said := `bad ` + secret + `, "pa\"ss <&> word", pa\"ss \u003c\u0026\u003e word, pa"ss &lt;&amp;&gt; word, ` +
		`pa%22ss+%3C%26%3E+word, pa%22ss%20%3C&%3E%20word`
	told := HideIn(said, secret, "", "abc", Reference(strings.Repeat("0", referenceDigits)))
	if strings.Contains(told, "word") || strings.Contains(told, "ss") || !strings.Contains(told, Hidden) {
		t.Errorf("%s is told as %s", said, told)
	}
	if same := HideIn("the abc of sealed-"+strings.Repeat("0", referenceDigits), "abc",
		Reference(strings.Repeat("0", referenceDigits))); strings.Contains(same, Hidden) {
		t.Errorf("a word too short to be hidden, or a reference, is: %s", same)
	}
}
