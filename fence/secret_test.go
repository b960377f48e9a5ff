package fence

import "testing"

func TestWhatSoundsSecretIs(t *testing.T) {
	for _, name := range []string{
		"password", "passwd", "snmp_priv_passwd", "snmp-auth-passwd", "community", "Community", "replication_passwd",
		"test_passwd", "kg", "ipmi_kg", "api_token", "secret_key", "access_key", "auth", "pin", "api-key", "ssh_passphrase",
	} {
		if !SoundsSecret(name) {
			t.Errorf("%s does not sound secret", name)
		}
	}
	for _, name := range []string{
		"ip", "background", "device", "passwd_script", "password_file", "identity_file", "auth_type", "login", "monkey",
		"keyboard", "priority", "directory", "options", "token_timeout", "snmp_auth_prot_type",
	} {
		if SoundsSecret(name) {
			t.Errorf("%s sounds secret", name)
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
