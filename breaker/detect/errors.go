package detect

import "errors"

// ErrConfig is wrapped by every error of New.
var ErrConfig = errors.New("detect: invalid detector")
