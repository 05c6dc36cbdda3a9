/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The numbers of STUN and TURN: methods, classes, attribute types and error
 * codes of RFC 8489, 8656, 5780, 6062, 7635, 8016 and 3489. Included by stun.h.
 */
#ifndef TP_STUN_ATTRIBUTES_H
#define TP_STUN_ATTRIBUTES_H

/* RFC 8489 section 18.2, RFC 8656 section 17, RFC 6062 section 6.1 */
enum tp_stun_method {
	TP_STUN_BINDING			= 0x001,
	TP_STUN_SHARED_SECRET		= 0x002,	/* RFC 3489 only */
	TP_STUN_ALLOCATE		= 0x003,
	TP_STUN_REFRESH			= 0x004,
	TP_STUN_SEND			= 0x006,	/* indication */
	TP_STUN_DATA			= 0x007,	/* indication */
	TP_STUN_CREATE_PERMISSION	= 0x008,
	TP_STUN_CHANNEL_BIND		= 0x009,
	TP_STUN_CONNECT			= 0x00A,
	TP_STUN_CONNECTION_BIND		= 0x00B,
	TP_STUN_CONNECTION_ATTEMPT	= 0x00C,	/* indication */
};

/* The bits C1 and C0 of the message type (RFC 8489 section 5). */
enum tp_stun_class {
	TP_STUN_REQUEST,
	TP_STUN_INDICATION,
	TP_STUN_SUCCESS,
	TP_STUN_ERROR,
};

/* Comprehension-required: 0x0000-0x7FFF, RFC 8489 section 18.3. */
#define TP_STUN_ATTR_MAPPED_ADDRESS		0x0001
#define TP_STUN_ATTR_RESPONSE_ADDRESS		0x0002	/* RFC 3489 */
#define TP_STUN_ATTR_CHANGE_REQUEST		0x0003	/* RFC 5780 */
#define TP_STUN_ATTR_SOURCE_ADDRESS		0x0004	/* RFC 3489 */
#define TP_STUN_ATTR_CHANGED_ADDRESS		0x0005	/* RFC 3489 */
#define TP_STUN_ATTR_USERNAME			0x0006
#define TP_STUN_ATTR_PASSWORD			0x0007	/* RFC 3489 */
#define TP_STUN_ATTR_MESSAGE_INTEGRITY		0x0008
#define TP_STUN_ATTR_ERROR_CODE			0x0009
#define TP_STUN_ATTR_UNKNOWN_ATTRIBUTES		0x000A
#define TP_STUN_ATTR_REFLECTED_FROM		0x000B	/* RFC 3489 */
#define TP_STUN_ATTR_CHANNEL_NUMBER		0x000C	/* RFC 8656 */
#define TP_STUN_ATTR_LIFETIME			0x000D	/* RFC 8656 */
#define TP_STUN_ATTR_XOR_PEER_ADDRESS		0x0012	/* RFC 8656 */
#define TP_STUN_ATTR_DATA			0x0013	/* RFC 8656 */
#define TP_STUN_ATTR_REALM			0x0014
#define TP_STUN_ATTR_NONCE			0x0015
#define TP_STUN_ATTR_XOR_RELAYED_ADDRESS	0x0016	/* RFC 8656 */
#define TP_STUN_ATTR_REQUESTED_ADDRESS_FAMILY	0x0017	/* RFC 8656 */
#define TP_STUN_ATTR_EVEN_PORT			0x0018	/* RFC 8656 */
#define TP_STUN_ATTR_REQUESTED_TRANSPORT	0x0019	/* RFC 8656 */
#define TP_STUN_ATTR_DONT_FRAGMENT		0x001A	/* RFC 8656 */
#define TP_STUN_ATTR_ACCESS_TOKEN		0x001B	/* RFC 7635 */
#define TP_STUN_ATTR_MESSAGE_INTEGRITY_SHA256	0x001C
#define TP_STUN_ATTR_PASSWORD_ALGORITHM		0x001D
#define TP_STUN_ATTR_USERHASH			0x001E
#define TP_STUN_ATTR_XOR_MAPPED_ADDRESS		0x0020
#define TP_STUN_ATTR_RESERVATION_TOKEN		0x0022	/* RFC 8656 */
#define TP_STUN_ATTR_PRIORITY			0x0024	/* RFC 8445 */
#define TP_STUN_ATTR_USE_CANDIDATE		0x0025	/* RFC 8445 */
#define TP_STUN_ATTR_PADDING			0x0026	/* RFC 5780 */
#define TP_STUN_ATTR_RESPONSE_PORT		0x0027	/* RFC 5780 */
#define TP_STUN_ATTR_CONNECTION_ID		0x002A	/* RFC 6062 */

/* Comprehension-optional: 0x8000-0xFFFF. */
#define TP_STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY	0x8000	/* RFC 8656 */
#define TP_STUN_ATTR_ADDRESS_ERROR_CODE		0x8001	/* RFC 8656 */
#define TP_STUN_ATTR_PASSWORD_ALGORITHMS	0x8002
#define TP_STUN_ATTR_ALTERNATE_DOMAIN		0x8003
#define TP_STUN_ATTR_ICMP			0x8004	/* RFC 8656 */
#define TP_STUN_ATTR_SOFTWARE			0x8022
#define TP_STUN_ATTR_ALTERNATE_SERVER		0x8023
#define TP_STUN_ATTR_CACHE_TIMEOUT		0x8027	/* RFC 5780 */
#define TP_STUN_ATTR_FINGERPRINT		0x8028
#define TP_STUN_ATTR_ICE_CONTROLLED		0x8029	/* RFC 8445 */
#define TP_STUN_ATTR_ICE_CONTROLLING		0x802A	/* RFC 8445 */
#define TP_STUN_ATTR_RESPONSE_ORIGIN		0x802B	/* RFC 5780 */
#define TP_STUN_ATTR_OTHER_ADDRESS		0x802C	/* RFC 5780 */
#define TP_STUN_ATTR_THIRD_PARTY_AUTHORIZATION	0x802E	/* RFC 7635 */
#define TP_STUN_ATTR_ORIGIN			0x802F	/* draft-johnston-tram-stun-origin */
#define TP_STUN_ATTR_MOBILITY_TICKET		0x8030	/* RFC 8016 */

/* From before their IANA assignment; coturn's client still sends them. */
#define TP_STUN_ATTR_OLD_ADDITIONAL_ADDRESS_FAMILY	0x8032
#define TP_STUN_ATTR_OLD_ADDRESS_ERROR_CODE		0x8033

#define TP_STUN_ATTR_OPTIONAL	0x8000	/* this bit: who does not understand it ignores it */

/* Address families on the wire (RFC 8489 section 14.1). */
#define TP_STUN_FAMILY_IPV4	0x01
#define TP_STUN_FAMILY_IPV6	0x02

/* PASSWORD-ALGORITHM (RFC 8489 section 18.5) */
#define TP_STUN_ALGORITHM_MD5		0x0001
#define TP_STUN_ALGORITHM_SHA256	0x0002

#define TP_STUN_SHA1_SIZE	20
#define TP_STUN_SHA256_SIZE	32

/* X(code, name, default reason): RFC 8489 14.8, 8656 19, 6062 6.3, 8016 3.1 and 8445 7.3.1.1. */
#define TP_STUN_ERROR_CODES(X)							\
	X(300, TRY_ALTERNATE,			"Try Alternate")			\
	X(400, BAD_REQUEST,			"Bad Request")			\
	X(401, UNAUTHENTICATED,			"Unauthenticated")		\
	X(403, FORBIDDEN,			"Forbidden")			\
	X(405, MOBILITY_FORBIDDEN,		"Mobility Forbidden")		\
	X(420, UNKNOWN_ATTRIBUTE,		"Unknown Attribute")		\
	X(437, ALLOCATION_MISMATCH,		"Allocation Mismatch")		\
	X(438, STALE_NONCE,			"Stale Nonce")			\
	X(440, FAMILY_NOT_SUPPORTED,		"Address Family not Supported")	\
	X(441, WRONG_CREDENTIALS,		"Wrong Credentials")		\
	X(442, UNSUPPORTED_TRANSPORT,		"Unsupported Transport Protocol") \
	X(443, PEER_FAMILY_MISMATCH,		"Peer Address Family Mismatch")	\
	X(446, CONNECTION_EXISTS,		"Connection Already Exists")	\
	X(447, CONNECTION_FAILED,		"Connection Timeout or Failure") \
	X(486, ALLOCATION_QUOTA,		"Allocation Quota Reached")	\
	X(487, ROLE_CONFLICT,			"Role Conflict")		\
	X(500, SERVER_ERROR,			"Server Error")			\
	X(508, INSUFFICIENT_CAPACITY,		"Insufficient Capacity")

enum tp_stun_error_code {
#define TP_STUN_ERROR_ENUM(code, name, reason) TP_STUN_E_##name = code,
	TP_STUN_ERROR_CODES(TP_STUN_ERROR_ENUM)
#undef TP_STUN_ERROR_ENUM
};

#endif
