// How strongly somebody signed in: by a password, or by a second step too. Apps ask for it by `acr_values` (RFC 9470 §4).

import { errors, interactionPolicy } from 'oidc-provider';

export const PASSWORD_ALONE = 'urn:tokenkeep:pwd';
export const SECOND_STEP = 'urn:tokenkeep:mfa';
export const ACR_VALUES = [SECOND_STEP, PASSWORD_ALONE];

/** What the second step wants to be told. It would be a new one each time, from a device of the user. */
export const DEMO_CODE = '246810';

/** The question that follows the password, for an app that asks for more than that. */
export function secondStep() {
  const wanted = ({ params }) => params.acr_values?.split(' ') ?? [];
  const check = ({ oidc }) => {
    const values = wanted(oidc);
    if (values.length && !values.some((value) => ACR_VALUES.includes(value))) {
      // RFC 9470 §5: who cannot be asked in such a way shall not be asked at all.
      throw new errors.CustomOIDCProviderError('unmet_authentication_requirements', 'nobody can sign in here in such a way');
    }
    return values.includes(SECOND_STEP) && !values.includes(oidc.acr);
  };
  const unmet = new interactionPolicy.Check('acr_values', 'a second step is needed', 'login_required', check);
  return new interactionPolicy.Prompt({ name: 'second_step', requestable: false }, unmet);
}

/** For access tokens: when and how the user signed in (RFC 9470 §6.1). */
export function authenticationClaims({ AuthorizationCode, DeviceCode, RefreshToken }) {
  const { acr, authTime } = AuthorizationCode ?? RefreshToken ?? DeviceCode ?? {};
  return { ...(acr && { acr }), ...(authTime && { auth_time: authTime }) };
}
