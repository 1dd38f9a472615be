/** The words of /oauth/* that no row of PROBLEMS has: what each means and what helps. */

// prettier-ignore
export const OAUTH_CODES = {
  invalid_request:               ['The request is malformed',                    'Send each parameter once, as the page /docs says'],
  invalid_grant:                 ['The consent does not carry a session',        'Ask the sponsor for a consent that is active'],
  no_consent:                    ['No active consent for this agent',            'Ask the sponsor to consent, then try again'],
  consent_inactive:              ['The consent is withdrawn, expired or used up','Ask the sponsor for a new consent'],
  consent_ambiguous:             ['The agent has several active consents',       'Name one with consent_id'],
  stopped:                       ['Sponsor, agent or instance has been stopped', 'Stop; ask the sponsor'],
  key_in_use:                    ['The key belongs to another agent',            'Make a fresh key for this instance'],
  assertion_bound_elsewhere:     ['The assertion came with another key before',  'Get an assertion of your own'],
  invalid_target:                ['Sessions are for this broker only',           'Leave resource and audience out, or send the issuer'],
  invalid_scope:                 ['Scopes are not used here',                    'Leave scope out; narrow with authorization_details'],
  invalid_authorization_details: ['That is not narrower than the consent',       'Ask for less than the consent gives'],
  unsupported_grant_type:        ['That grant type is not served',               'Use client_credentials with a client assertion'],
  unauthorized_client:           ['This client may not use that grant',          'Use client_credentials with a client assertion'],
  temporarily_unavailable:       ['It cannot be answered now',                   'Try again after Retry-After'],
  server_error:                  ['Something went wrong here',                   'Report the request'],
} as const satisfies Record<string, readonly [title: string, fix: string]>
