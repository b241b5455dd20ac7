package runtime

import goruntime "runtime"

// UserAgent is how the product names itself to Amazon, in the form that Amazon
// asks for: name/version, then key=value pairs in parentheses.
func (b Base) UserAgent() string {
	return "PriceManager/" + b.Version + " (Language=Go/" + goruntime.Version()[2:] + "; Platform=AWS-Lambda/provided.al2023)"
}
