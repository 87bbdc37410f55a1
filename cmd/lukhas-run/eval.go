package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/lukhasai/lukhas-run/rules"
)

// evalLimit bounds the size of a sample environment.
const evalLimit = 1 << 20

func newEval(s *settings) *cobra.Command {
	var env string
	cmd := &cobra.Command{
		Use:   "eval EXPR",
		Short: "try an expression against a sample",
		Long: "The sample is a JSON object with the names that expressions see: params, now, msg, state, call, error, reply, status, took,\n" +
			"actor, supervisor, breaker, node, system, window (a breaker's own), request, response, value, member, new, old, event; and\n" +
			"actors and breakers, lists that actor(), breaker() and share() look at, and loads by name. What is left out reads as zero.\n" +
			"The value is printed as JSON. Exit: 0, 1 when the expression is wrong or fails.",
		Args: cobra.ExactArgs(1),
		Example: `  lukhas-run eval 'status >= 500 || error.kind in ["timeout"]' --env '{"status": 503}'
  lukhas-run eval 'actor.error_rate > params.max && actor.latency.p99 > 800ms' --env sample.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			sample, err := readSample(env, cmd.InOrStdin())
			if err != nil {
				return err
			}
			program, problems := rules.Compile(args[0], rules.Any, sample.scope())
			tellProblems(cmd.ErrOrStderr(), args[0], problems)
			if program == nil {
				return exit{code: exitFailed}
			}
			value, err := program.Value(&sample.env)
			if err != nil {
				return exit{exitFailed, err}
			}
			if reads := program.Reads(); len(reads) > 0 && !s.quiet() {
				fmt.Fprintf(cmd.ErrOrStderr(), "reads %s\n", strings.Join(reads, ", "))
			}
			return printJSON(cmd, value)
		},
	}
	cmd.Flags().StringVar(&env, "env", "{}", "the `SAMPLE`: a JSON object, a file of one, or - for standard input")
	return cmd
}

// readSample reads the environment from where --env says.
func readSample(env string, in io.Reader) (*sample, error) {
	text := []byte(env)
	if !strings.HasPrefix(strings.TrimSpace(env), "{") {
		data, err := readLimited(env, in)
		if err != nil {
			return nil, exit{exitNoInput, err}
		}
		text = data
	}
	var given map[string]any
	if err := json.Unmarshal(text, &given); err != nil {
		return nil, exit{exitUsage, fmt.Errorf("--env is not a JSON object: %w", err)}
	}
	sample, err := sampleOf(given)
	if err != nil {
		return nil, exit{exitUsage, fmt.Errorf("--env: %w", err)}
	}
	return sample, nil
}

func readLimited(path string, in io.Reader) ([]byte, error) {
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, evalLimit+1))
	if err == nil && len(data) > evalLimit {
		err = errors.New("a sample has 1 MiB at most")
	}
	return data, err
}

// tellProblems shows what is wrong with an expression, with a caret below it.
func tellProblems(w io.Writer, text string, problems []rules.Problem) {
	for _, p := range problems {
		severity := "error"
		if p.Warning {
			severity = "warning"
		}
		fmt.Fprintf(w, "%s[%s]: %s\n", severity, p.Code, p.Message)
		line, before, under := caret(text, p.Offset, p.Len)
		note := ""
		if p.Suggestion != "" {
			note = fmt.Sprintf(" did you mean %q?", p.Suggestion)
			if strings.Contains(p.Message, "did you mean") {
				note = ""
			}
		}
		fmt.Fprintf(w, "  | %s\n  | %s%s%s\n", line, strings.Repeat(" ", before), strings.Repeat("^", under), note)
		if p.Help != "" {
			fmt.Fprintf(w, "  = %s\n", p.Help)
		}
	}
}

// caret finds the line that an offset lies on, and where to mark it, in characters.
func caret(text string, offset, length int) (line string, before, under int) {
	offset = min(offset, len(text))
	begin := strings.LastIndexByte(text[:offset], '\n') + 1
	end := len(text)
	if at := strings.IndexByte(text[offset:], '\n'); at >= 0 {
		end = offset + at
	}
	marked := text[offset:min(offset+length, end)]
	return text[begin:end], utf8.RuneCountInString(text[begin:offset]), max(1, utf8.RuneCountInString(marked))
}

// scope declares what the sample gives, so that a misspelt param is told as in a file.
func (s *sample) scope() rules.Scope {
	scope := rules.Scope{Place: rules.AtEval}
	if s.env.Params != nil {
		scope.Params = declared(s.env.Params)
	}
	scope.Binds = declared(s.env.Binds)
	return scope
}

func declared(values map[string]any) []rules.Field {
	var out []rules.Field
	for name, v := range values {
		f := rules.Field{Name: name}
		switch v.(type) {
		case float64:
			f.Kind = rules.NumberKind
		case string:
			f.Kind = rules.TextKind
		case bool:
			f.Kind = rules.BoolKind
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b rules.Field) int { return strings.Compare(a.Name, b.Name) })
	return out
}
