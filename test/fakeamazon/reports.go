package fakeamazon

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"pricemanager/internal/price"
	"pricemanager/test/canary"
)

// listingsReport is the only report type of the fake.
const listingsReport = "GET_MERCHANT_LISTINGS_ALL_DATA"

// reportJob is one report. Its state follows from its times and the clock.
type reportJob struct {
	ID          string              `json:"id"`
	Region      price.Region        `json:"region"`
	Seller      string              `json:"seller"`
	Marketplace price.MarketplaceID `json:"marketplace"`
	Created     time.Time           `json:"created"`
	Started     time.Time           `json:"started"`
	Done        time.Time           `json:"done"`
	Cancelled   bool                `json:"cancelled,omitempty"`
	Document    string              `json:"document"`
	content     []byte              // made when first looked at after it is done
}

// reportView is the model's Report.
type reportView struct {
	ID           string                `json:"reportId"`
	Type         string                `json:"reportType"`
	Marketplaces []price.MarketplaceID `json:"marketplaceIds"`
	Created      time.Time             `json:"createdTime"`
	Status       string                `json:"processingStatus"`
	Started      time.Time             `json:"processingStartTime,omitzero"`
	Ended        time.Time             `json:"processingEndTime,omitzero"`
	Document     string                `json:"reportDocumentId,omitempty"`
}

type reportDocument struct {
	ID          string `json:"reportDocumentId"`
	URL         string `json:"url"`
	Compression string `json:"compressionAlgorithm,omitempty"`
}

func (f *Fake) createReport(c *call, now time.Time) answer {
	var want struct {
		Type         string                `json:"reportType"`
		Marketplaces []price.MarketplaceID `json:"marketplaceIds"`
	}
	if err := json.Unmarshal(c.body, &want); err != nil {
		return refuse(http.StatusBadRequest, "Invalid input.", err.Error())
	}
	c.entry.Marketplaces = want.Marketplaces
	if want.Type != listingsReport {
		return refuse(http.StatusBadRequest, "The fake has no report of type "+want.Type+".", "")
	}
	if out, ok := c.checkMarketplaces(); !ok {
		return out
	}
	if len(want.Marketplaces) != 1 {
		return refuse(http.StatusBadRequest, "This report covers one marketplace.", "")
	}
	n := f.next()
	delay := f.pace.delay(f.cfg.Reports.Delay, "report", n)
	job := &reportJob{
		ID: strconv.FormatInt(50000000000+n, 10), Region: c.key.region, Seller: c.key.id, Marketplace: want.Marketplaces[0],
		Created: now, Started: now.Add(delay / 3), Done: now.Add(delay),
		Document: "amzn1.spdoc.1.4." + f.pace.id("document", n),
	}
	f.reports[job.ID] = job
	f.touch()
	return answer{http.StatusAccepted, map[string]string{"reportId": job.ID}, ""}
}

// status is the job's state; a catalogue without listings gives CANCELLED, which
// is what the models call a report with no data.
func (f *Fake) status(job *reportJob, now time.Time) string {
	switch {
	case job.Cancelled:
		return "CANCELLED"
	case now.Before(job.Started):
		return "IN_QUEUE"
	case now.Before(job.Done):
		return "IN_PROGRESS"
	}
	if job.content == nil {
		job.content = f.reportContent(job)
	}
	if len(job.content) == 0 {
		return "CANCELLED"
	}
	return "DONE"
}

func (f *Fake) job(c *call) *reportJob {
	job := f.reports[c.params["reportId"]]
	if job == nil || (sellerKey{job.Region, job.Seller}) != c.key {
		return nil
	}
	return job
}

func (f *Fake) getReport(c *call, now time.Time) answer {
	job := f.job(c)
	if job == nil {
		return refuse(http.StatusNotFound, "Report not found.", "")
	}
	view := reportView{
		ID: job.ID, Type: listingsReport, Marketplaces: []price.MarketplaceID{job.Marketplace},
		Created: job.Created, Status: f.status(job, now),
	}
	if view.Status != "IN_QUEUE" {
		view.Started = job.Started
	}
	switch view.Status {
	case "DONE":
		view.Ended, view.Document = job.Done, job.Document
	case "CANCELLED":
		view.Ended = job.Done
	}
	return answer{http.StatusOK, view, view.Status}
}

func (f *Fake) cancelReport(c *call, now time.Time) answer {
	job := f.job(c)
	if job == nil {
		return refuse(http.StatusNotFound, "Report not found.", "")
	}
	if f.status(job, now) != "IN_QUEUE" {
		return refuse(http.StatusBadRequest, "Only a report that is IN_QUEUE can be cancelled.", "")
	}
	job.Cancelled, job.Done = true, now
	f.touch()
	return answer{http.StatusOK, nil, "CANCELLED"}
}

func (f *Fake) getReportDocument(c *call, now time.Time) answer {
	job := f.jobOfDocument(c.params["reportDocumentId"])
	if job == nil || (sellerKey{job.Region, job.Seller}) != c.key || f.status(job, now) != "DONE" {
		return refuse(http.StatusNotFound, "Report document not found.", "")
	}
	out := reportDocument{ID: job.Document, URL: c.base + f.link(job.Document, now)}
	if !f.cfg.Reports.Plain {
		out.Compression = "GZIP"
	}
	return answer{http.StatusOK, out, ""}
}

func (f *Fake) jobOfDocument(id string) *reportJob {
	for _, job := range f.reports {
		if job.Document == id {
			return job
		}
	}
	return nil
}

// reportColumns are the columns of the report as Amazon names them.
var reportColumns = []string{
	"item-name", "item-description", "listing-id", "seller-sku", "price", "quantity", "open-date", "image-url",
	"item-is-marketplace", "product-id-type", "zshop-shipping-fee", "item-note", "item-condition", "zshop-category1",
	"zshop-browse-path", "zshop-storefront-feature", "asin1", "asin2", "asin3", "will-ship-internationally",
	"expedited-shipping", "zshop-boldface", "product-id", "bid-for-featured-placement", "add-delete",
	"pending-quantity", "fulfillment-channel", "merchant-shipping-group", "status",
}

// conditionCodes are the numbers that the report uses for conditions.
var conditionCodes = map[string]string{
	"new_new": "11", "refurbished_refurbished": "10", "club_club": "9",
	"used_like_new": "1", "used_very_good": "2", "used_good": "3", "used_acceptable": "4",
	"collectible_like_new": "5", "collectible_very_good": "6", "collectible_good": "7", "collectible_acceptable": "8",
}

// reportContent is the document: tab-separated, sorted by SKU, gzipped unless
// configured plain; empty when there is no listing.
func (f *Fake) reportContent(job *reportJob) []byte {
	out := []byte{}
	s := f.sellers[sellerKey{job.Region, job.Seller}]
	if s == nil || s.markets[job.Marketplace] == nil || len(s.markets[job.Marketplace].listings) == 0 {
		return out
	}
	m := s.markets[job.Marketplace]
	var text bytes.Buffer
	text.WriteString(strings.Join(reportColumns, "\t") + f.unaskedCells("recipient-name", "buyer-email") + "\n")
	for _, sku := range slices.Sorted(maps.Keys(m.listings)) {
		l := m.listings[sku]
		row := l.reportRow(m.Marketplace, f.pace)
		for i, column := range reportColumns {
			if i > 0 {
				text.WriteByte('\t')
			}
			text.WriteString(cell.Replace(row[column]))
		}
		text.WriteString(f.unaskedCells(canary.BuyerName, canary.BuyerEmail) + "\n")
	}
	if f.cfg.Reports.Plain {
		return text.Bytes()
	}
	return zipped(text.Bytes())
}

// cell keeps a value in its cell: the report knows no quotes.
var cell = strings.NewReplacer("\t", " ", "\n", " ", "\r", " ")

func (l *listing) reportRow(m price.Marketplace, p pace) map[string]string {
	row := map[string]string{
		"item-name": l.title, "listing-id": "L" + strings.ToUpper(p.id("listing", m.ID, l.sku)[:11]), "seller-sku": string(l.sku),
		"open-date": l.created.UTC().Format("2006-01-02 15:04:05") + " UTC", "item-is-marketplace": "y", "product-id-type": "1",
		"item-condition": conditionCodes[l.condition], "asin1": l.asin, "product-id": l.asin,
		"will-ship-internationally": "n", "pending-quantity": "0", "fulfillment-channel": l.channel,
		"merchant-shipping-group": "Default", "status": "Inactive",
	}
	if l.productID != "" {
		row["product-id-type"], row["product-id"] = "4", l.productID
	}
	i := l.offer(m, audienceAll)
	if s, ok := i.schedule(subOur); ok {
		row["price"] = s.Value.String()
	}
	if l.quantity != nil {
		row["quantity"] = strconv.FormatInt(*l.quantity, 10)
	}
	if len(l.status(m)) == 2 {
		row["status"] = "Active"
	}
	return row
}
