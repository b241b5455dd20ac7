// Package amazon is the vocabulary of Amazon's Selling Partner API as the rest
// of the product speaks it: accounts, listings, submissions, and errors with
// the one closed table that says what an answer means for a change.
//
// It holds types and rules only. Package spapi implements the interfaces over
// HTTP; tests and simulations implement them in memory.
package amazon

import (
	"context"
	"io"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/internal/tenant"
)

// Account is one seller in one region: what a connection authorises.
type Account struct {
	Tenant     tenant.ID
	Connection price.ConnectionID
	Region     price.Region
	Seller     string // Amazon's selling partner id, e.g. "A2EXAMPLESELLER"
	// Grant numbers the seller's authorisation of this connection: each consent
	// gets the next number, and tokens belong to a number, so that nobody is
	// handed a token of an authorisation that was replaced.
	Grant int64
}

// Token is an access token and when it stops working.
type Token struct {
	Access  secret.Value
	Expires time.Time
}

// Call is what an answer told about the call itself.
type Call struct {
	RequestID string // x-amzn-RequestId, for Amazon's support
	// RateLimit is x-amzn-RateLimit-Limit in requests per second, 0 when the
	// answer did not say.
	RateLimit float64
}

// SubmissionStatus is Amazon's verdict on a patch.
type SubmissionStatus string

// The verdicts. Accepted is not applied: only a later read shows that.
const (
	Accepted SubmissionStatus = "ACCEPTED"
	Invalid  SubmissionStatus = "INVALID"
	Valid    SubmissionStatus = "VALID" // validation preview only
)

// Issue is one problem that Amazon reports about a listing or a submission.
type Issue struct {
	Code       string   `json:"code"`
	Message    string   `json:"message"`
	Severity   string   `json:"severity"` // ERROR, WARNING or INFO
	Attributes []string `json:"attributes,omitempty"`
	Categories []string `json:"categories,omitempty"`
}

// Submission is Amazon's answer to a patch.
type Submission struct {
	ID     string
	Status SubmissionStatus
	Issues []Issue
	Call   Call
}

// Patch is one price write: one SKU in one marketplace.
type Patch struct {
	Marketplace price.MarketplaceID
	SKU         price.SKU
	ProductType string // "" sends the literal PRODUCT, which Amazon accepts for offers
	Edit        price.Edit
	// Also are the same SKU in other marketplaces, in the same call. Whether one
	// that Amazon finds invalid spoils the others is documented nowhere.
	Also []MarketEdit
}

// MarketEdit is an edit of one marketplace.
type MarketEdit struct {
	Marketplace price.MarketplaceID
	Edit        price.Edit
}

// Listing is one SKU in one marketplace as read from Amazon.
type Listing struct {
	Marketplace price.MarketplaceID
	SKU         price.SKU
	ASIN        string
	ProductType string
	Title       string
	// Prices are the seller's own settings (attributes.purchasable_offer).
	Prices price.Prices
	// Effective is the price that buyers see (offers[], audience ALL): a running
	// sale shows here. Nil when Amazon gave none.
	Effective *price.Money
	Automated bool // an Automate Pricing rule is attached
	Issues    []Issue
}

// Listings is the part of the Listings Items API that the product uses.
// Errors are *Error.
type Listings interface {
	// Patch writes the edit. An error with Reached true may have taken effect.
	Patch(ctx context.Context, a Account, p Patch) (Submission, error)
	// Search reads up to 20 SKUs of one marketplace; SKUs that Amazon does not
	// know are missing from the answer, and so are those whose prices cannot be
	// read exactly (Get says why). A SKU with a comma cannot be searched: such
	// SKUs are refused, read them with Get.
	Search(ctx context.Context, a Account, m price.MarketplaceID, skus []price.SKU) ([]Listing, Call, error)
	// Get reads one SKU. An unknown one is an *Error with Status 404.
	Get(ctx context.Context, a Account, m price.MarketplaceID, sku price.SKU) (Listing, Call, error)
}

// Previews asks what Amazon would say to a patch. Errors are *Error.
type Previews interface {
	// Preview has Amazon judge the edit as it would a Patch, and writes nothing. The
	// status of its answer is Valid or Invalid. An error with Reached true says that
	// Amazon may have taken the request for a write.
	Preview(ctx context.Context, a Account, p Patch) (Submission, error)
}

// ReportStatus is the state of a report at Amazon.
type ReportStatus string

// The report states (reports_2021-06-30, Report.processingStatus).
const (
	ReportInQueue    ReportStatus = "IN_QUEUE"
	ReportInProgress ReportStatus = "IN_PROGRESS"
	ReportDone       ReportStatus = "DONE"
	ReportCancelled  ReportStatus = "CANCELLED" // also: there is no data
	ReportFatal      ReportStatus = "FATAL"
)

// ListingsReport is the report type that lists a seller's whole catalogue.
const ListingsReport = "GET_MERCHANT_LISTINGS_ALL_DATA"

// Reports is the part of the Reports API that the product uses. Errors are *Error.
type Reports interface {
	// CreateReport asks for a report about one marketplace and returns its id.
	CreateReport(ctx context.Context, a Account, reportType string, m price.MarketplaceID) (string, error)
	// Report returns the report's state, and its document id once it is done.
	Report(ctx context.Context, a Account, id string) (ReportStatus, string, error)
	// Document opens the report's content, decompressed. The caller closes it.
	Document(ctx context.Context, a Account, documentID string) (io.ReadCloser, error)
}

// CodeNotSent is the code of a call that our own client refused to make, because
// it can never work: a SKU with a comma in a search, a price that cannot be
// cleared. It is Permanent.
const CodeNotSent = "NotSent"

// Error is a failed call. It never holds a token or a request body.
type Error struct {
	Op         string // Amazon's operation, e.g. "patchListingsItem"
	Status     int    // HTTP status, 0 when there was no answer
	Code       string // Amazon's error code, e.g. "QuotaExceeded", or the LWA error, e.g. "invalid_grant"
	Message    string // Amazon's text
	RequestID  string
	RetryAfter time.Duration // from the Retry-After header, 0 when absent
	// Reached: the request may have reached Amazon and taken effect. False only
	// when it certainly did not leave, or Amazon answered that it refused it.
	Reached bool
	Err     error // transport error, nil when there was an answer
}

func (e *Error) Error() string {
	s := "amazon: " + e.Op
	if e.Status != 0 {
		s += ": " + statusText(e.Status)
	}
	if e.Code != "" {
		s += ": " + e.Code
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }
