//! A receiver's acknowledgement (HL7 v2.5 2.9.2 and 2.15.8). What it says in words is not repeated: it may name the patient.

use super::super::verdict::Verdict;

/// An answer that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAck {
    /// It has no MSH or no MSA.
    #[error("the receiver answered with something else than an acknowledgement")]
    Form,
    /// It acknowledges something else.
    #[error("the receiver acknowledged another message")]
    Other,
}

/// What the answer to `control_id` means.
///
/// # Errors
/// [`NoAck`]: the message is then sent again.
pub fn verdict(answer: &str, control_id: &str) -> Result<Verdict, NoAck> {
    let mut segments = answer.split(['\r', '\n']).filter(|segment| !segment.is_empty());
    let separator = segments.next().filter(|first| first.starts_with("MSH")).and_then(|first| first.chars().nth(3));
    let separator = separator.ok_or(NoAck::Form)?;
    let mut found =
        segments.map(|segment| segment.split(separator)).find(|fields| fields.clone().next() == Some("MSA"));
    let fields = found.as_mut().ok_or(NoAck::Form)?;
    let (code, about) = (fields.nth(1).ok_or(NoAck::Form)?, fields.next().unwrap_or_default());
    if about != control_id {
        return Err(NoAck::Other);
    }
    match code {
        "AA" | "CA" => Ok(Verdict::Taken),
        // Error: of the content, which does not change. Rejection: mostly of the moment (2.9.2.2).
        "AE" | "CE" => {
            Ok(Verdict::Never(format!("the receiver found an error in the message ({code}); its log says which")))
        }
        "AR" | "CR" => Ok(Verdict::Later(format!("the receiver rejected the message ({code}); its log says why"))),
        _ => Err(NoAck::Form),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: &str) -> Result<Verdict, NoAck> {
        verdict(
            &format!("MSH|^~\\&|RIS|A|HILUM|B|20240301||ACK^R01|7|P|2.5\rMSA|{code}|42|M\u{fc}ller is unknown\r"),
            "42",
        )
    }

    #[test]
    fn only_an_acceptance_is_taken_and_no_words_are_repeated() {
        for code in ["AA", "CA"] {
            assert_eq!(answer(code), Ok(Verdict::Taken));
        }
        for code in ["AE", "CE"] {
            assert!(matches!(answer(code), Ok(Verdict::Never(words)) if !words.contains("ller")));
        }
        for code in ["AR", "CR"] {
            assert!(matches!(answer(code), Ok(Verdict::Later(words)) if !words.contains("ller")));
        }
        assert_eq!(answer("XX"), Err(NoAck::Form));
    }

    #[test]
    fn an_answer_to_something_else_is_none() {
        assert_eq!(verdict("MSH|^~\\&|A\rMSA|AA|41\r", "42"), Err(NoAck::Other));
        assert_eq!(verdict("MSH#^~\\&#A\rMSA#AA#42\r", "42"), Ok(Verdict::Taken), "any separator");
        for nonsense in ["", "MSA|AA|42", "MSH|^~\\&\r", "MSH", "HTTP/1.1 400\r\n\r\n", "MSH|^~\\&\rMSA\r"] {
            assert_eq!(verdict(nonsense, "42"), Err(NoAck::Form), "{nonsense:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_answer_is_judged_without_a_panic(answer: String) {
            let _ = verdict(&answer, "42");
        }
    }
}
