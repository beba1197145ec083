// What a failed request is called before people.

const WORDS = {
  operation_timeout: "Sitrep did not answer within 3 seconds. Try again.",
  dispatch_failed: "Could not reach Sitrep, or it refused the request. Its log says why.",
  message_not_found: "This message is gone.",
};

export const explain = (error) => WORDS[error] ?? `That did not work: ${error}`;
