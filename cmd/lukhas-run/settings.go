package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"
	"golang.org/x/term"

	"github.com/lukhasai/lukhas-run/engine/admin"
)

// settings are about the process, never about the topology: flags win over LUKHAS_* variables, those over the settings
// file, that over the defaults.
type settings struct{ v *viper.Viper }

// addSettings declares the global flags and reads the other sources before any verb runs.
func addSettings(root *cobra.Command) *settings {
	s := &settings{v: viper.New()}
	f := root.PersistentFlags()
	f.StringP("output", "o", "text", "text for people, json for machines; some verbs know more")
	f.String("data", "./data", "directory for the journal, the socket and all else that is kept")
	f.String("addr", "", "socket of the running engine; default: the one in the data directory")
	f.String("log-level", "info", "debug, info, warn or error")
	f.String("log-format", "console", "console or json")
	f.BoolP("quiet", "q", false, "say only what went wrong")
	f.Bool("no-color", false, "no colours; also by NO_COLOR, and when the output is not a terminal")
	f.String("config", "", "settings file (YAML, TOML or JSON) with the names of these flags")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return s.read(cmd) }
	return s
}

func (s *settings) read(cmd *cobra.Command) error {
	s.v.SetEnvPrefix("LUKHAS")
	s.v.SetEnvKeyReplacer(strings.NewReplacer("-", "_"))
	s.v.AutomaticEnv()
	if err := s.v.BindPFlags(cmd.Flags()); err != nil {
		return err
	}
	if file := s.v.GetString("config"); file != "" {
		if err := s.readFile(file, cmd.Root().PersistentFlags()); err != nil {
			return err
		}
	}
	return s.check(cmd.Root().PersistentFlags())
}

// readFile takes the settings file over. A name that is no setting is an error: it would be left out silently.
func (s *settings) readFile(file string, known *pflag.FlagSet) error {
	if _, err := os.Stat(file); err != nil {
		return exit{exitNoInput, fmt.Errorf("settings file %q: %w", file, errors.Unwrap(err))}
	}
	s.v.SetConfigFile(file)
	err := s.v.ReadInConfig()
	var format viper.UnsupportedConfigError
	switch {
	case errors.As(err, &format):
		return exit{exitUsage, fmt.Errorf("settings file %q: its name must end in .yaml, .json or .toml", file)}
	case err != nil:
		return exit{exitNoInput, fmt.Errorf("settings file %q: %w", file, err)}
	}
	var names []string
	known.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	for _, key := range s.v.AllKeys() {
		if s.v.InConfig(key) && known.Lookup(key) == nil {
			return exit{exitUsage, fmt.Errorf("settings file %q: unknown setting %q: expected %s", file, key, strings.Join(names, ", "))}
		}
	}
	return nil
}

// check refuses values that would only be noticed later, or never.
func (s *settings) check(known *pflag.FlagSet) error {
	for name, allowed := range map[string][]string{"log-level": {"debug", "info", "warn", "error"}, "log-format": {"console", "json"}} {
		if err := oneOf(name, s.v.GetString(name), allowed); err != nil {
			return exit{exitUsage, err}
		}
	}
	var errs []error
	known.VisitAll(func(f *pflag.Flag) {
		switch value := s.v.Get(f.Name).(type) {
		case bool, nil:
		case string:
			if _, err := strconv.ParseBool(value); f.Value.Type() == "bool" && err != nil {
				errs = append(errs, fmt.Errorf("%s is %q, expected true or false", f.Name, value))
			}
		default:
			if _, scalar := value.(int); !scalar || f.Value.Type() == "bool" {
				errs = append(errs, fmt.Errorf("%s is %v, expected a %s", f.Name, value, f.Value.Type()))
			}
		}
	})
	if s.data() == "" {
		errs = append(errs, errors.New("data is empty, expected a directory"))
	}
	if err := errors.Join(errs...); err != nil {
		return exit{exitUsage, err}
	}
	return nil
}

// outputs refuses an --output that the verb does not know.
func (s *settings) outputs(known ...string) error {
	if err := oneOf("output", s.output(), known); err != nil {
		return exit{exitUsage, err}
	}
	return nil
}

func oneOf(name, value string, allowed []string) error {
	for _, a := range allowed {
		if value == a {
			return nil
		}
	}
	return fmt.Errorf("--%s %q: expected %s", name, value, strings.Join(allowed, ", "))
}

func (s *settings) data() string   { return s.v.GetString("data") }
func (s *settings) output() string { return s.v.GetString("output") }
func (s *settings) quiet() bool    { return s.v.GetBool("quiet") }

// color says whether w is a terminal that may be coloured.
func (s *settings) color(w io.Writer) bool {
	if s.v.GetBool("no-color") || os.Getenv("NO_COLOR") != "" {
		return false
	}
	return isTerminal(w)
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// client reaches the running engine.
func (s *settings) client() (*admin.Client, error) {
	path := strings.TrimPrefix(s.v.GetString("addr"), "unix://")
	if path == "" {
		p, err := admin.SocketPath(s.data())
		if err != nil {
			return nil, exit{exitFailed, err}
		}
		path = p
	}
	return admin.NewClient(path), nil
}

// reached gives an error of the client the exit code that fits it.
func reached(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, admin.ErrUnreachable):
		return exit{exitUnavailable, err}
	default:
		return exit{exitFailed, err}
	}
}
