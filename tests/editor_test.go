//go:build editor

package tests

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/textproto"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// languageServer is the release of yaml-language-server that editors ship and this test drives.
const languageServer = "yaml-language-server@1.25.0"

// editor speaks the language server protocol over standard input and output, as an editor does, to the real server.
type editor struct {
	t     *testing.T
	in    io.Writer
	out   *bufio.Reader
	next  int
	notes []message // notifications not yet looked at
}

type message struct {
	ID     *json.RawMessage `json:"id,omitempty"`
	Method string           `json:"method,omitempty"`
	Params json.RawMessage  `json:"params,omitempty"`
	Result json.RawMessage  `json:"result,omitempty"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// openEditor installs the server with npm, once, and starts it without a window.
func openEditor(t *testing.T) *editor {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = t.TempDir()
	}
	dir := filepath.Join(cache, "lukhas-run", strings.ReplaceAll(languageServer, "@", "-"))
	program := filepath.Join(dir, "node_modules", "yaml-language-server", "bin", "yaml-language-server")
	if _, err := os.Stat(program); err != nil {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		install := exec.Command("npm", "install", "--no-audit", "--no-fund", "--prefix", dir, languageServer)
		if out, err := install.CombinedOutput(); err != nil {
			t.Fatalf("npm install %s: %v\n%s", languageServer, err, out)
		}
	}
	cmd := exec.Command("node", program, "--stdio")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	hung := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() {
		hung.Stop()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	e := &editor{t: t, in: in, out: bufio.NewReader(out)}
	e.call("initialize", map[string]any{"processId": os.Getpid(), "rootUri": nil, "capabilities": map[string]any{"textDocument": map[string]any{
		"completion": map[string]any{"completionItem": map[string]any{"snippetSupport": true, "documentationFormat": []string{"markdown"}}},
		"hover":      map[string]any{"contentFormat": []string{"markdown"}},
	}}})
	e.notify("initialized", map[string]any{})
	e.notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"yaml": map[string]any{
		"validate": true, "hover": true, "completion": true, "schemaStore": map[string]any{"enable": false},
	}}})
	return e
}

func (e *editor) send(m map[string]any) {
	e.t.Helper()
	m["jsonrpc"] = "2.0"
	text, err := json.Marshal(m)
	if err == nil {
		_, err = fmt.Fprintf(e.in, "Content-Length: %d\r\n\r\n%s", len(text), text)
	}
	if err != nil {
		e.t.Fatal(err)
	}
}

func (e *editor) notify(method string, params any) {
	e.t.Helper()
	e.send(map[string]any{"method": method, "params": params})
}

// receive reads the next message. What the server asks for itself is answered with nothing.
func (e *editor) receive() message {
	e.t.Helper()
	head, err := textproto.NewReader(e.out).ReadMIMEHeader()
	if err != nil {
		e.t.Fatalf("the server said no more: %v", err)
	}
	n, err := strconv.Atoi(head.Get("Content-Length"))
	if err != nil {
		e.t.Fatal(err)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(e.out, body); err != nil {
		e.t.Fatal(err)
	}
	var m message
	if err := json.Unmarshal(body, &m); err != nil {
		e.t.Fatal(err)
	}
	if m.ID != nil && m.Method != "" {
		e.send(map[string]any{"id": m.ID, "result": nil})
	}
	return m
}

func (e *editor) call(method string, params any) json.RawMessage {
	e.t.Helper()
	e.next++
	e.send(map[string]any{"id": e.next, "method": method, "params": params})
	for {
		m := e.receive()
		switch {
		case m.Method != "":
			e.notes = append(e.notes, m)
		case m.ID != nil && string(*m.ID) == strconv.Itoa(e.next):
			if m.Error != nil {
				e.t.Fatalf("%s: %s", method, m.Error.Message)
			}
			return m.Result
		}
	}
}

// open shows a file to the server, with the schema named in its first line, and gives its address.
func (e *editor) open(name, kind, text string) string {
	e.t.Helper()
	schema, err := filepath.Abs(filepath.Join("..", "schema", kind+".schema.json"))
	if err != nil {
		e.t.Fatal(err)
	}
	if !strings.HasPrefix(text, "# yaml-language-server:") {
		text = "# yaml-language-server: $schema=" + (&url.URL{Scheme: "file", Path: schema}).String() + "\n" + text
	}
	uri := "file://" + filepath.Join(e.t.TempDir(), name)
	if filepath.IsAbs(name) {
		uri = "file://" + name
	}
	e.notify("textDocument/didOpen", map[string]any{"textDocument": map[string]any{"uri": uri, "languageId": "yaml", "version": 1, "text": text}})
	return uri
}

// at is the place of a character, counted from 0, with the schema's line above the text.
func at(uri string, line, character int) map[string]any {
	return map[string]any{"textDocument": map[string]any{"uri": uri}, "position": map[string]any{"line": line + 1, "character": character}}
}

// complete lists what the editor offers at a place.
func (e *editor) complete(text string, line, character int) map[string]string {
	e.t.Helper()
	uri := e.open(fmt.Sprintf("complete-%d.yaml", e.next), "topology", text)
	var list struct {
		Items []struct {
			Label         string `json:"label"`
			Documentation any    `json:"documentation"`
		} `json:"items"`
	}
	if err := json.Unmarshal(e.call("textDocument/completion", at(uri, line, character)), &list); err != nil {
		e.t.Fatal(err)
	}
	out := map[string]string{}
	for _, item := range list.Items {
		out[item.Label] = fmt.Sprint(item.Documentation)
	}
	return out
}

type squiggle struct {
	Message string `json:"message"`
	Range   struct {
		Start struct{ Line, Character int } `json:"start"`
		End   struct{ Line, Character int } `json:"end"`
	} `json:"range"`
}

// squiggles waits for what the server underlines in a file.
func (e *editor) squiggles(uri string) []squiggle {
	e.t.Helper()
	for {
		for i, m := range e.notes {
			var p struct {
				URI         string     `json:"uri"`
				Diagnostics []squiggle `json:"diagnostics"`
			}
			if m.Method == "textDocument/publishDiagnostics" && json.Unmarshal(m.Params, &p) == nil && p.URI == uri {
				e.notes = slices.Delete(e.notes, i, i+1)
				return p.Diagnostics
			}
		}
		e.notes = append(e.notes, e.receive())
	}
}

const written = `apiVersion: lukhas/v1
kind: Topology
metadata: {name: shop}
`

// A real editor's server completes keys and words, tells what a field means, and underlines what is unknown.
func TestEditor(t *testing.T) {
	e := openEditor(t)
	t.Run("keys", func(t *testing.T) {
		e.t = t
		for _, c := range []struct {
			text            string
			line, character int
			want            []string
		}{
			{written, 3, 0, []string{"root", "policies", "rules", "gateway", "emergency", "journal"}},
			{written + "policies:\n  breakers:\n    upstream:\n      trip:\n        ", 7, 8, []string{"consecutive_failures", "error_rate", "slow_calls", "anomaly", "when"}},
			{written + "root:\n  children:\n    - name: api\n      ", 6, 6, []string{"script", "process", "upstream", "consensus", "guard", "restart", "mailbox"}},
			{written + "root:\n  children:\n    - name: api\n      guard:\n        ", 7, 8, []string{"breaker", "timeout", "retry", "bulkhead", "fallback"}},
		} {
			offered := e.complete(c.text, c.line, c.character)
			for _, want := range c.want {
				if doc, ok := offered[want]; !ok || doc == "" {
					t.Errorf("line %d: %q is not offered with its documentation among %d keys: %q", c.line, want, len(offered), doc)
				}
			}
		}
	})
	t.Run("words", func(t *testing.T) {
		e.t = t
		offered := e.complete(written+"root:\n  strategy: \n", 4, 12)
		for _, want := range []string{"one_for_one", "all_for_one", "rest_for_one"} {
			if _, ok := offered[want]; !ok {
				t.Errorf("%q is not offered among %v", want, offered)
			}
		}
	})
	t.Run("hover", func(t *testing.T) {
		e.t = t
		uri := e.open("hover.yaml", "topology", written+"policies:\n  breakers:\n    upstream:\n      trip:\n        error_rate: 50%\n")
		told := string(e.call("textDocument/hover", at(uri, 7, 12)))
		if !strings.Contains(told, "Share of calls in the window that failed") {
			t.Errorf("hover tells %s", told)
		}
	})
	t.Run("unknown key", func(t *testing.T) {
		e.t = t
		uri := e.open("wrong.yaml", "topology", written+"policies:\n  breakers:\n    upstream:\n      trip:\n        failurs: 5\n")
		found := e.squiggles(uri)
		if !slices.ContainsFunc(found, func(s squiggle) bool {
			return strings.Contains(s.Message, "failurs") && s.Range.Start.Line == 8 && s.Range.Start.Character == 8 && s.Range.End.Character == 15
		}) {
			t.Errorf("underlined: %+v", found)
		}
	})
	t.Run("wrong value", func(t *testing.T) {
		e.t = t
		uri := e.open("value.yaml", "topology", written+"observe: {level: loud}\n")
		if found := e.squiggles(uri); len(found) == 0 || found[0].Range.Start.Line != 4 {
			t.Errorf("underlined: %+v", found)
		}
	})
	t.Run("examples", func(t *testing.T) {
		e.t = t
		for _, name := range []string{"checkout.yaml", "quickstart.yaml", "policies/on-call.yaml"} {
			path, err := filepath.Abs(filepath.Join("..", "examples", name))
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if found := e.squiggles(e.open(path, "topology", string(text))); len(found) > 0 {
				t.Errorf("%s: underlined: %+v", name, found)
			}
			if found := e.squiggles(e.open(path+".wrong.yaml", "topology", string(text)+"\nnonsense: 1\n")); len(found) != 1 {
				t.Errorf("%s: the schema that its first line names is not used: %+v", name, found)
			}
		}
	})
}
