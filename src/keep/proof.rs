//! Sends requests with a proof that whoever sends them has the key to their tokens
//! ([RFC 9449](https://www.rfc-editor.org/rfc/rfc9449)).

use std::{cell::RefCell, rc::Rc};

use super::{
    Keep,
    flight::Flight,
    ports::{Http, HttpFailure, NoCrypto, ProofKey},
};
use crate::protocol::{
    Error, HttpUrl, Misbehaved, Misconfigured, Request, Response, Secret, Source, TokenType,
    dpop::{Nonces, Proof, Refusal, refusal, signed},
};

/// The key, which is made when it is first needed, and what servers want to read in proofs.
#[derive(Default)]
pub(crate) struct Proofs {
    key: RefCell<Option<Making>>,
    nonces: RefCell<Nonces>,
}

/// A key that was made, or is being made.
type Making = Flight<Result<Rc<dyn ProofKey>, NoCrypto>>;

impl Keep {
    /// Whether tokens are bound to a key.
    pub(super) fn is_bound(&self) -> bool {
        self.settings.token_type == TokenType::Dpop
    }

    /// The key of this keep: one, however many ask for it.
    async fn proof_key(&self) -> Result<Rc<dyn ProofKey>, NoCrypto> {
        let crypto = &self.ports.crypto;
        let make = || {
            let crypto = crypto.clone();
            Flight::new(async move { crypto.proof_key().await.map(Rc::from) })
        };
        let making = self.proofs.key.borrow_mut().get_or_insert_with(make).clone();
        let outcome = making.clone().await;
        if outcome.is_err() {
            self.proofs.key.borrow_mut().take_if(|now| now.is(&making));
        }
        outcome
    }

    /// `dpop_jkt`: the thumbprint of the key, if tokens are bound to it.
    pub(super) async fn thumbprint(&self) -> Result<Option<String>, NoCrypto> {
        Ok(if self.is_bound() { Some(self.proof_key().await?.public_key().thumbprint()) } else { None })
    }

    /// Sends a request with a proof, if tokens are bound to a key, and once more if the server wants its nonce in it.
    ///
    /// # Errors
    /// When nothing came of it, for sure: it was not sent, or the server said that it did nothing. The answer of a network that failed
    /// says nothing like that.
    pub(super) async fn send(
        self: &Rc<Self>,
        from: Source,
        request: &mut Request,
        access_token: Option<&Secret<String>>,
        http: &dyn Http,
    ) -> Result<Result<Response, HttpFailure>, Error> {
        if !self.is_bound() {
            return Ok(http.send(request).await);
        }
        let url = HttpUrl::parse(&request.url).map_err(|_| Misconfigured::RequestMalformed)?;
        let generation = self.generation.get();
        let mut repeated = false;
        loop {
            let proof = self.proof(&request.method, &url, access_token).await?;
            // Nothing is sent after a sign-out that came while the proof was made, or after a limit that passed. A sign-in is of the next
            // session.
            if !self.signing_in.get() {
                self.heed();
            }
            self.unless_ended_since(generation)?;
            request.set("dpop", proof);
            let response = match http.send(request).await {
                Ok(response) => response,
                failure => return Ok(failure),
            };
            // Also of an answer that is right: the next request carries it.
            let heard = self.proofs.nonces.borrow_mut().hear(&url, &response);
            match refusal(&response, from) {
                None => return Ok(Ok(response)),
                Some(Refusal::Proof) => return Err(Misbehaved::DpopProofRejected { from }.into()),
                Some(Refusal::Nonce) if repeated => return Err(Misbehaved::DpopNonceLoop { from }.into()),
                Some(Refusal::Nonce) if !request.replay => return Ok(Ok(response)),
                Some(Refusal::Nonce) if !heard => return Err(Misbehaved::DpopNonceUnreadable { from }.into()),
                Some(Refusal::Nonce) => repeated = true,
            }
        }
    }

    /// A new proof, for one sending of a request.
    async fn proof(&self, method: &str, url: &HttpUrl, access_token: Option<&Secret<String>>) -> Result<Secret<String>, Error> {
        let key = self.proof_key().await?;
        let jti = self.random_name()?;
        let issued = self.settings.clock_skew.correct(self.ports.clock.now());
        let signing_input = {
            let nonces = self.proofs.nonces.borrow();
            Proof { key: key.public_key(), jti: &jti, method, url, issued, access_token, nonce: nonces.at(url) }.signing_input()
        };
        Ok(signed(&signing_input, &key.sign(&signing_input).await?))
    }
}
