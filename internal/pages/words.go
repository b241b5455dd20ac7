package pages

import "pricemanager/internal/identity"

// roleChoice is a role in words. Least is the one that may do the least.
type roleChoice struct {
	Role  identity.Role
	Words string
	Least bool
}

// The words say what the roles' table allows; a test reads both.
var roles = []roleChoice{
	{identity.Owner, "Owner: everything, members and keys too", false},
	{identity.Approver, "Approver: lets changes through and stops them", false},
	{identity.Editor, "Editor: prepares and sends prices", false},
	{identity.Viewer, "Viewer: looks", true},
}

// scopeChoice is a scope in words.
type scopeChoice struct {
	Scope identity.Scope
	Words string
}

var scopeWords = map[identity.Scope]string{
	identity.ConnectionsRead:  "See seller accounts",
	identity.ConnectionsWrite: "Connect and disconnect seller accounts",
	identity.OffersRead:       "See offers and their prices",
	identity.PlansRead:        "See plans",
	identity.PlansWrite:       "Upload price files and make plans",
	identity.BatchesRead:      "See what is sent and what came of it",
	identity.BatchesWrite:     "Send prices to Amazon",
	identity.ExportsRead:      "Fetch exports of all data",
	identity.ExportsWrite:     "Ask for an export of all data",
	identity.LedgerRead:       "See the ledger and its proofs",
	identity.GuardsRead:       "See guards",
	identity.GuardsWrite:      "Change guards",
	identity.StopsRead:        "See stops",
	identity.StopsWrite:       "Stop sending, and end stops",
	identity.ErasuresWrite:    "Have all data erased",
}

// scopes are the choices for a key.
func scopes() []scopeChoice {
	var out []scopeChoice
	for _, s := range identity.Scopes() {
		out = append(out, scopeChoice{s, scopeWords[s]})
	}
	return out
}
