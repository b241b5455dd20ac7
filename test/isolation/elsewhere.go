package isolation

// elsewhere are methods that take a tenant and are not called here, by the beginning of
// their names, with the reason.
var elsewhere = map[string]string{
	"pricemanager/internal/store/":                 "the stores themselves, whose keys begin with the tenant: internal/store/storetest holds every backend to that",
	"pricemanager/internal/store store.":           "reads a key, asks nothing",
	"pricemanager/internal/spapi/broker ":          "asks the token broker, a function of its own: connect.Broker is called here",
	"pricemanager/internal/lane lane.Engine.Drive": "sends to Amazon: internal/lane and test/soak drive lanes of many tenants",
}
