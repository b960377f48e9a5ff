package vault

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
)

// Reveal returns a text with the secrets in it that it refers to, and these. It is called where
// they are used, and nowhere else.
func (v *Vault) Reveal(text string) (revealed string, secrets []string, err error) {
	revealed = fence.ReplaceReferences(text, func(reference string) string {
		secret, problem := v.secret(v.Log.Root(), reference)
		if problem != nil {
			err = problem
		}
		secrets = append(secrets, secret)
		return secret
	})
	return revealed, secrets, err
}

func (v *Vault) secret(root *cluster.State, reference string) (string, error) {
	sealed, held := root.Secrets.Sealed[reference]
	if !held {
		return "", fmt.Errorf("%s does not hold the secret that is referred to; write it into the document again", v.Node)
	}
	key, err := v.DataKey(root)
	if err != nil {
		return "", err
	}
	secret, err := key.Open(sealedSecret(reference), sealed)
	return string(secret), err
}

// revealed is a secret as it is used.
func (v *Vault) revealed(secret fence.Secret) (fence.Secret, error) {
	text, _, err := v.Reveal(secret.Reveal())
	return fence.Secret(text), err
}

// given is a secret as it is used: what the credential of that name holds, where there is a name,
// else the one that the document refers to.
func (v *Vault) given(secret fence.Secret, name string) (fence.Secret, error) {
	if name != "" {
		return credential(name)
	}
	return v.revealed(secret)
}

// largestCredential bounds what is read of one.
const largestCredential = 4 << 10

// credential reads a secret that systemd gives this daemon. It is read at each use, and stands in
// no log.
func credential(name string) (fence.Secret, error) {
	folder := os.Getenv("CREDENTIALS_DIRECTORY")
	if folder == "" {
		return "", fmt.Errorf("systemd gave this daemon no credentials; "+
			"add LoadCredential=%s:PATH to clusterd.service and restart it", name)
	}
	file, err := os.Open(filepath.Join(folder, name))
	if err != nil {
		return "", fmt.Errorf("%w; add LoadCredential=%s:PATH to clusterd.service and restart it", err, name)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, largestCredential+1))
	if err != nil {
		return "", err
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" || len(text) > largestCredential || strings.ContainsAny(secret, "\r\n\x00") {
		return "", fmt.Errorf("credential %s does not hold a secret on its only line", name)
	}
	return fence.Secret(secret), nil
}

// OpenAlert is an alert as it is sent, with its secrets open.
func (v *Vault) OpenAlert(alert cluster.Alert) (cluster.Alert, error) {
	var err error
	if alert.Secret, err = v.given(alert.Secret, alert.SecretCredential); err != nil {
		return alert, fmt.Errorf("its secret: %w", err)
	}
	if alert.SecretURL, err = v.given(alert.SecretURL, alert.SecretURLCredential); err != nil {
		return alert, fmt.Errorf("its secret_url: %w", err)
	}
	return alert, nil
}
