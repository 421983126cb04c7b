"""What JSON Schema cannot say of a push."""

import schemathesis


def as_go_reads_it(value):
    # To JSON Schema 60.0 is an integer; Go's encoding/json, and so the agent, takes no fraction for one.
    if isinstance(value, dict):
        return {key: as_go_reads_it(member) for key, member in value.items()}
    if isinstance(value, list):
        return [as_go_reads_it(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@schemathesis.hook
def map_body(context, body):
    return as_go_reads_it(body)
