package incident

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/template"
	"time"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

//go:embed notices/*.txt
var texts embed.FS

// Unknown stands in a notice for what is not known yet.
const Unknown = "NOT KNOWN YET, TO FOLLOW"

// notice is what the texts are filled from.
type notice struct {
	Incident
	Now         time.Time
	HoursKnown  int64
	Application string
	TenantCount string
	Tenant      tenant.ID
	YourTables  []store.Table
	Active      bool
}

func functions(i Incident) template.FuncMap {
	return template.FuncMap{
		"known": func(s string) string {
			if strings.TrimSpace(s) == "" {
				return Unknown
			}
			return s
		},
		"time": func(t time.Time) string {
			if t.IsZero() {
				return ""
			}
			return t.UTC().Format("2006-01-02 15:04 UTC")
		},
		"list": func(s []string) string { return strings.Join(s, ", ") },
		"tables": func(ts []store.Table) string {
			s := make([]string, len(ts))
			for n, t := range ts {
				s[n] = string(t)
			}
			return strings.Join(s, ", ")
		},
		"told": func(p Party) string {
			if t, ok := i.Told[p]; ok {
				return "told on " + t.At.UTC().Format("2006-01-02 15:04 UTC") + ": " + t.Note
			}
			return "not told yet"
		},
	}
}

// Write writes the notice to a party. affected is whose data it was; nil when that was
// not asked yet, which the notices say. The notice to tenants is one for each of them,
// and names no other.
func Write(w io.Writer, p Party, i Incident, application string, affected []Affected, now time.Time) error {
	n := notice{Incident: i, Now: now, HoursKnown: int64(now.Sub(i.Aware) / time.Hour), Application: application, TenantCount: Unknown}
	if affected != nil {
		n.TenantCount = fmt.Sprint(len(affected))
	}
	name := map[Party]string{Amazon: "amazon.txt", Authority: "authority.txt", Tenants: "tenant.txt"}[p]
	if name == "" {
		return fmt.Errorf("%w: there is no notice to %q, only to %v", ErrInvalid, p, Parties())
	}
	text, err := template.New(name).Option("missingkey=error").Funcs(functions(i)).ParseFS(texts, "notices/"+name)
	if err != nil {
		return fmt.Errorf("incident: notice: %w", err)
	}
	if p != Tenants {
		return text.Execute(w, n)
	}
	if affected == nil {
		return errors.New("incident: the notice to tenants needs to know whose data it was")
	}
	for at, a := range affected {
		n.Tenant, n.YourTables, n.Active = a.Tenant, a.Tables, a.Active
		if at > 0 {
			if _, err := io.WriteString(w, "\f\n"); err != nil {
				return err
			}
		}
		if err := text.Execute(w, n); err != nil {
			return err
		}
	}
	return nil
}
