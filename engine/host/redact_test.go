package host

import (
	"testing"

	"github.com/lukhasai/lukhas-run/engine/plan"
)

func TestSecretsAreHiddenInTextsAndNothingElseChanges(t *testing.T) {
	r := newRedactor(&plan.Plan{Secrets: []string{"swordfish", `a"b<c&d`, "123456"}}, &plan.Plan{Secrets: []string{"older one", "no"}})
	for _, c := range [][2]string{
		{`{"text":"it is swordfish, again swordfish"}`, `{"text":"it is ***, again ***"}`},
		{`{"list":["a\"b\u003cc\u0026d",{"deep":"older one"}]}`, `{"list":["***",{"deep":"***"}]}`},
		{`{"pid":123456,"text":"123456!"}`, `{"pid":123456,"text":"***!"}`},                                             // a number is no text
		{`{"a_ns":12345678901234567890,"b":"no","c":"not so"}`, `{"a_ns":12345678901234567890,"b":"***","c":"not so"}`}, // a short one hides its equal alone
		{`{"z":1,"a":"all shown"}`, `{"z":1,"a":"all shown"}`},
		{"swordfish, but no JSON", "swordfish, but no JSON"},
		{"", ""},
	} {
		if got := string(r.payload([]byte(c[0]))); got != c[1] {
			t.Errorf("%s\n got %s\nwant %s", c[0], got, c[1])
		}
	}
}
