"""Names of span attributes, from OpenTelemetry's semantic conventions for messaging and generative AI.

Spelt out here, since the package that holds them belongs to the SDK, which is imported only where
traces are exported; a test compares the two.
"""

MESSAGING_DESTINATION_NAME = "messaging.destination.name"
MESSAGING_OPERATION_TYPE = "messaging.operation.type"

GEN_AI_OPERATION_NAME = "gen_ai.operation.name"
GEN_AI_PROVIDER_NAME = "gen_ai.provider.name"
GEN_AI_REQUEST_MODEL = "gen_ai.request.model"

ERROR_TYPE = "error.type"
