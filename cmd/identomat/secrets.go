package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"github.com/zalando/go-keyring"
	"golang.org/x/term"

	"github.com/identomat-go/identomat"
)

// loadKeys reads the keys from where the flags say, and sets the variables that [identomat.NewClientFromEnv]
// reads. It changes only this process: other processes cannot see the variables.
func (a *app) loadKeys() error {
	var company, secret string
	var err error
	switch {
	case a.keyFile != "":
		company, secret, err = readKeyFile(a.keyFile)
	case a.keyring:
		company, secret, err = readKeyring()
	default:
		return nil
	}
	if err != nil {
		return err
	}
	for name, key := range map[string]string{identomat.EnvCompanyKey: company, identomat.EnvSecretKey: secret} {
		if key == "" {
			err = os.Unsetenv(name)
		} else {
			err = os.Setenv(name, key)
		}
		if err != nil {
			return fmt.Errorf("a key is not usable: %w", err)
		}
	}
	return nil
}

// readKeyFile reads the company key from the first line of a file, and the secret key, if any, from the
// second.
func readKeyFile(name string) (company, secret string, err error) {
	file, err := os.Open(name)
	if err != nil {
		return "", "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", "", err
	}
	// Windows has no such permissions.
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return "", "", fmt.Errorf("other users can access the key file %s; run: chmod 600 %s", name, name)
	}
	var keys [2]string
	lines := bufio.NewScanner(file)
	for i := 0; i < len(keys) && lines.Scan(); i++ {
		keys[i] = strings.TrimSpace(lines.Text())
	}
	if lines.Err() == nil && keys[0] == "" {
		return "", "", fmt.Errorf("the first line of the key file %s is empty", name)
	}
	return keys[0], keys[1], lines.Err()
}

// The keyring's entries. The names of the keys are also their names in messages.
const (
	keyringService = "identomat"
	companyKey     = "company key"
	secretKey      = "secret key"
)

func readKeyring() (company, secret string, err error) {
	if err := hasKeyring(); err != nil {
		return "", "", err
	}
	if company, err = keyring.Get(keyringService, companyKey); err != nil {
		return "", "", keyringError(companyKey, err)
	}
	secret, err = keyring.Get(keyringService, secretKey)
	if err != nil && !errors.Is(err, keyring.ErrNotFound) {
		return "", "", keyringError(secretKey, err)
	}
	return company, secret, nil
}

func keyringError(key string, err error) error {
	if errors.Is(err, keyring.ErrNotFound) {
		return fmt.Errorf("the keyring holds no %s; see: identomat key set", key)
	}
	return fmt.Errorf("cannot use the keyring, which may be locked: %w", err)
}

// hasKeyring returns an error on a system without a D-Bus session, where the keyring package would start one.
func hasKeyring() error {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		return nil
	}
	address := os.Getenv("DBUS_SESSION_BUS_ADDRESS")
	if address != "" && address != "autolaunch:" {
		return nil
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		bus := filepath.Join(dir, "bus")
		if _, err := os.Stat(bus); err == nil {
			return os.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+bus)
		}
	}
	return fmt.Errorf("this system has no keyring, because it has no D-Bus session; use --key-file or %s", identomat.EnvCompanyKey)
}

func (a *app) keyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Store the keys in the system's keyring",
		Long: `Store the company key and the secret key in the system's keyring: Keychain on macOS, the Credential
Manager on Windows, the Secret Service on Linux. Other commands then read them with --keyring.`,
		Example: `  identomat key set
  identomat key set --secret < secret-key.txt
  identomat result @token.txt --keyring`,
	}
	isSecret := false
	name := func() string {
		if isSecret {
			return secretKey
		}
		return companyKey
	}
	set := &cobra.Command{
		Use:   "set",
		Short: "Read a key from standard input and store it",
		Example: `  identomat key set
  identomat key set --secret < secret-key.txt`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := hasKeyring(); err != nil {
				return err
			}
			key, err := a.readSecret(cmd, name())
			if err != nil {
				return err
			}
			if err := keyring.Set(keyringService, name(), key); err != nil {
				return keyringError(name(), err)
			}
			a.note("The %s is in the keyring.", name())
			return nil
		},
	}
	remove := &cobra.Command{
		Use:     "remove",
		Short:   "Remove a key from the keyring",
		Example: `  identomat key remove`,
		Args:    takes(),
		RunE: func(*cobra.Command, []string) error {
			if err := hasKeyring(); err != nil {
				return err
			}
			if err := keyring.Delete(keyringService, name()); err != nil {
				return keyringError(name(), err)
			}
			a.note("The %s is no longer in the keyring.", name())
			return nil
		},
	}
	for _, c := range []*cobra.Command{set, remove} {
		c.Flags().BoolVar(&isSecret, "secret", false, "the secret key, which signs requests, instead of the company key")
	}
	cmd.AddCommand(set, remove)
	return cmd
}

// readSecret reads a secret from standard input. A terminal does not show it.
func (a *app) readSecret(cmd *cobra.Command, name string) (secret string, err error) {
	file, isFile := a.in.(*os.File)
	if a.inTerminal && isFile {
		fmt.Fprintf(a.err, "The %s, which is not shown: ", name)
		secret, err = readHidden(cmd.Context(), int(file.Fd()))
		fmt.Fprintln(a.err)
		if err != nil {
			return "", err
		}
	} else if secret, err = a.readLine(cmd); err != nil {
		return "", err
	}
	if secret == "" {
		return "", fmt.Errorf("the %s is empty", name)
	}
	return secret, nil
}

// readHidden reads a line from a terminal without showing it. After an interruption, the terminal shows
// what is typed again.
func readHidden(ctx context.Context, fd int) (string, error) {
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	type result struct {
		line []byte
		err  error
	}
	read := make(chan result, 1)
	go func() {
		line, err := term.ReadPassword(fd)
		read <- result{line, err}
	}()
	select {
	case <-ctx.Done():
		return "", errors.Join(ctx.Err(), term.Restore(fd, before))
	case r := <-read:
		return strings.TrimSpace(string(r.line)), r.err
	}
}

// argument returns an argument, or what it refers to: - is the first line of standard input, and @FILE the
// first line of a file.
func (a *app) argument(cmd *cobra.Command, arg string) (string, error) {
	switch {
	case arg == "-":
		return a.readLine(cmd)
	case strings.HasPrefix(arg, "@"):
		data, err := os.ReadFile(arg[1:])
		if err != nil {
			return "", err
		}
		line, _, _ := strings.Cut(string(data), "\n")
		if line = strings.TrimSpace(line); line == "" {
			return "", fmt.Errorf("the first line of %s is empty", arg[1:])
		}
		return line, nil
	}
	return arg, nil
}

func (a *app) token(cmd *cobra.Command, arg string) (identomat.Token, error) {
	token, err := a.argument(cmd, arg)
	return identomat.Token(token), err
}
